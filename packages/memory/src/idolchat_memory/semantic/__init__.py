"""Late interaction."""
