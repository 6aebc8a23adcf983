"""Keeps idolchat conversations as JSON files on the local disk."""
