"""The book on disk: its tables, one transaction for each thing that is done with it, and nothing of the service."""
