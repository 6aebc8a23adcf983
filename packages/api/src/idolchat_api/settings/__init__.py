"""Settings of the server, one class a subject."""
