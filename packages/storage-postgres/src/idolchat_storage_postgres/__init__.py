"""Keeps idolchat conversations in PostgreSQL, which any number of servers may serve at once."""

# Nothing is imported here: the driver takes a moment, and a server that does not use it need not wait for it.
