"""Who runs the turns of a conversation and who waits, in one process or in many."""
