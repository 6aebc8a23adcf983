"""The words for what goes wrong with a connection."""

from __future__ import annotations

import os
import socket

__all__ = ["reason_of"]


def reason_of(error: Exception) -> str:
    """Describe a failed connection; the event loop's own words would repeat the address."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or type(error).__name__
