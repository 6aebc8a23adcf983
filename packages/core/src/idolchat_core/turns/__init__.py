"""The turn engine: from a request to a stored reply."""
