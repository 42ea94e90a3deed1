"""The service's calls, each a handler."""
