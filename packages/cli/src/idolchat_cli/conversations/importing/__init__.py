"""Conversations on their way from files, ours and those of other programs."""
