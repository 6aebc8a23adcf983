"""Connections to clients: the protocols of the server, and how many of them are let in."""
