"""What the processes that serve one database agree on: who lives, who runs a turn, who waits, and what was counted."""
