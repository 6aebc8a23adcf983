"""Settings of the server, one class per subject."""
