"""The address that a server listens on: with one socket, or with one for each of its processes."""

from __future__ import annotations

import socket
import sys
from typing import Any

from idolchat_core.errors import ConfigurationError

__all__ = ["BACKLOG", "bind_beside", "kept_for_workers", "listen", "local_url", "url_of"]

BACKLOG = 2048

SPREADS = sys.platform == "linux"
"""Whether the kernel spreads connections evenly over sockets that listen on one address."""


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises ``ConfigurationError``."""
    host = host.strip("[]")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigurationError(
            f"IDOLCHAT_HOST: {host!r} is no address of this machine ({error.strerror}); write 127.0.0.1 to serve this"
            " machine only"
        ) from error
    try:
        return _bound(family, address)
    except OSError as error:
        raise ConfigurationError(
            f"IDOLCHAT_PORT: cannot listen on {host} port {port} ({error.strerror}); stop what listens there, or set"
            " another port (0 takes a free one)"
        ) from error


def kept_for_workers(listener: socket.socket) -> socket.socket:
    """Return what keeps the address of a listener, which is closed, for workers that ``bind_beside`` it.

    With a socket each, the kernel spreads connections over them (``SO_REUSEPORT`` in socket(7)). From one that all
    share, whoever is idle for a moment takes them: of 64 that came at once, one of two workers got as many as 60. Where
    the kernel does not spread, they share it.
    """
    if not SPREADS:
        return listener
    with listener:  # it has shown that nobody else listens there
        address = listener.getsockname()
    return _bound(listener.family, address, is_shared=True)


def bind_beside(kept: socket.socket) -> socket.socket:
    """Return what a worker is to listen on; until it does so, the others get the connections."""
    if not SPREADS:
        return kept
    return _bound(kept.family, kept.getsockname(), is_shared=True)


def url_of(listener: socket.socket, *, host: str) -> str:
    """Return the URL of a server that listens on this socket."""
    host = host.strip("[]")
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def local_url(listener: socket.socket) -> str:
    """Return the URL that this machine reaches a server at, wherever it listens."""
    host = listener.getsockname()[0]
    return url_of(listener, host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))  # noqa: S104  not listened on


def _bound(family: int, address: Any, *, is_shared: bool = False) -> socket.socket:
    """Open a socket; one whose address others may bind does not listen yet."""
    # With the protocol in it: asyncio turns Nagle's algorithm off only where it sees that a socket is TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        if not is_shared:
            bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound
