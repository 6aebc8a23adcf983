"""Reading requests and writing replies as ASGI messages, and noticing that a client has disconnected."""
