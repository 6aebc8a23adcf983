"""Ports on loopback."""

import socket

__all__ = ["free_port"]


def free_port() -> int:
    """Find one that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
