"""Sockets: listeners, connections, the thin layer in which they go wrong, and TLS."""
