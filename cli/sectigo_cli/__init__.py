"""The `sectigo` command."""
