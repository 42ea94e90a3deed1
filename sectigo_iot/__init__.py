"""A Python library for the Sectigo IoT Manager."""
