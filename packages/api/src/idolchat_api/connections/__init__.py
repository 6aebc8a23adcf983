"""Connections to clients: the HTTP and WebSocket protocols, and their limits."""
