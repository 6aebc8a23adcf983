"""Limits on the number of connections, and on how slowly clients send and read."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from typing import Protocol

from idolchat_api.addresses import Networks, counted_address
from idolchat_api.settings.limits import LimitSettings

__all__ = ["Connection", "ConnectionLimiter"]

logger = logging.getLogger(__name__)

MIN_BYTES_PER_S = 500
"""What a body must come at, on the whole: as Apache's mod_reqtimeout wants it by default."""
CHECKS_PER_LIMIT = 20
"""How often a limit in time is looked at before it passes, at the least."""
FILES_FOR_OTHERS = 256


class Connection(Protocol):
    """A connection that the limiter watches. ``receiving_since`` is None while no head or body is being received."""

    receiving_since: float | None
    is_in_body: bool
    received_bytes: int
    stalled_since: float | None
    unread_bytes: int

    def is_reading_paused(self) -> bool: ...

    def unread_size(self) -> int:
        """Return how many bytes wait for the client to read; 0 while no more than usual."""

    def close(self, why: str) -> None: ...


class ConnectionLimiter:
    """Counts the open connections, and closes those that send or read too slowly."""

    def __init__(self, settings: LimitSettings) -> None:
        self._settings = settings
        self._max = min(settings.max_connections, _max_open_files())
        self._per_address = settings.address_max_connections
        self._proxies = Networks(settings.trusted_proxies)
        self._addresses: Counter[str] = Counter()
        self.connections: set[Connection] = set()
        self.count = 0

    def acquire(self, host: str | None) -> str | None:
        """Count a new connection; returns the reason if it must be refused."""
        address = self._counted(host)
        if self.count >= self._max:
            return f"{self._max} connections are open, which is the most"
        if address is not None and self._per_address and self._addresses[address] >= self._per_address:
            return f"{self._per_address} connections are open from this address, which is the most"
        self.count += 1
        if address is not None:
            self._addresses[address] += 1
        return None

    def release(self, host: str | None) -> None:
        """Uncount a closed connection."""
        self.count -= 1
        address = self._counted(host)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    async def watch(self) -> None:
        """Close connections that are too slow, until cancelled."""
        settings = self._settings
        shortest_s = min(settings.header_timeout_s, settings.body_timeout_s, settings.read_timeout_s)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, shortest_s / CHECKS_PER_LIMIT))
            now = loop.time()
            for connection in list(self.connections):
                why = self._sending_too_slowly(connection, now) or self._not_reading(connection, now)
                if why:
                    logger.info("client cut off", extra={"why": why})
                    connection.close(why)

    def _sending_too_slowly(self, connection: Connection, now: float) -> str | None:
        if connection.receiving_since is None or connection.is_reading_paused():
            return None
        waited_s = now - connection.receiving_since
        if not connection.is_in_body:
            return "slow head" if waited_s > self._settings.header_timeout_s else None
        return (
            "slow body"
            if waited_s > self._settings.body_timeout_s + connection.received_bytes / MIN_BYTES_PER_S
            else None
        )

    def _not_reading(self, connection: Connection, now: float) -> str | None:
        unread = connection.unread_size()
        if not unread:
            connection.stalled_since = None
            return None
        if connection.stalled_since is None or unread != connection.unread_bytes:
            connection.stalled_since, connection.unread_bytes = now, unread
            return None
        return "does not read" if now - connection.stalled_since > self._settings.read_timeout_s else None

    def _counted(self, host: str | None) -> str | None:
        return None if host is None or host in self._proxies else counted_address(host)


def _max_open_files() -> int:
    """Raise the system's limit on open files as far as allowed, and return how many connections it leaves room for."""
    if sys.platform == "win32":
        return 1 << 30
    import resource  # noqa: PLC0415  there is none for Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or soft < hard:
        wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return max(64, soft - FILES_FOR_OTHERS)
