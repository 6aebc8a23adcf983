"""The events of a turn while it runs: their log, the readers that follow it, and the reply they add up to."""
