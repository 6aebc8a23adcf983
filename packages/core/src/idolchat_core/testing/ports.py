"""Ports of loopback for the servers that a test starts."""

from __future__ import annotations

import socket

__all__ = ["reserve_port"]


def reserve_port() -> int:
    """Return a port of loopback that nobody takes by chance before this process ends, even while no server is on it.

    A socket stays bound to it and does not listen: whoever binds to any free port, or connects from one, gets another,
    connections to it are refused, and a server that sets ``SO_REUSEADDR``, as servers do, may listen on it (Linux).
    """
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    port: int = reservation.getsockname()[1]
    reservation.detach()  # kept open, until the process ends
    return port
