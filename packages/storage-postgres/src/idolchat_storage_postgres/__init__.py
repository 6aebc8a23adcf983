"""Keeps idolchat conversations in PostgreSQL, which any number of servers may serve at once."""
