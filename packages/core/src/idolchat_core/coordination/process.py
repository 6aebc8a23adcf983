"""What a process is called in lists for operators."""

from __future__ import annotations

import os
import socket

__all__ = ["process_address"]


def process_address() -> str:
    """Return the machine and the id of this process: ``host:pid``."""
    return f"{socket.gethostname()}:{os.getpid()}"
