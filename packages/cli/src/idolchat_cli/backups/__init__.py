"""Backups: all that a storage holds in one archive, and its way back."""
