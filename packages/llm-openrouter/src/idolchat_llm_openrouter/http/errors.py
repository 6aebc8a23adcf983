"""What can go wrong between us and a server.

HTTPError
└── Disconnected
"""

from __future__ import annotations

import os
import socket

__all__ = ["Disconnected", "HTTPError", "why"]


class HTTPError(Exception):
    """No connection, or nothing on it that can be used; the text says why, in words that may be shown to anybody."""


class Disconnected(HTTPError):
    """The connection was closed before an answer began: most often a kept one, with the request on its way."""


def why(error: Exception) -> str:
    """Say what is wrong with a connection; the event loop's own words would repeat the address."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or type(error).__name__
