"""One module per resource, one function per call of the service. What each does stands at the client's method."""
