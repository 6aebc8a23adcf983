"""ASGI messages read and written directly: request bodies, replies, and whether the client is there."""
