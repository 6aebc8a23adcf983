"""How many connections may be open, and how slowly a client may send or read."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from typing import Protocol

from idolchat_api.addresses import counted_address
from idolchat_api.settings.limits import LimitSettings

__all__ = ["Doors", "Guest"]

logger = logging.getLogger(__name__)

MIN_BYTES_PER_S = 500
"""What a body must come at, on the whole: as Apache's mod_reqtimeout wants it by default."""
LOOKS = 20
"""How often a limit in time is looked at before it passes, at the least."""
FILES_FOR_OTHERS = 256


class Guest(Protocol):
    """A connection that may owe something; see ``GuardedHttp``."""

    owes_since: float | None
    is_in_body: bool
    owed_bytes: int
    stalled_since: float | None
    unread_bytes: int

    def is_held_back(self) -> bool:
        """Tell whether it is us who do not read."""

    def unread(self) -> int:
        """Count the bytes that wait for the client to read; 0 where that is no more than is usual."""

    def dismiss(self, why: str) -> None:
        """Close it."""


class Doors:
    """Counts who is in, and looks after those who keep us waiting."""

    def __init__(self, settings: LimitSettings) -> None:
        self._settings = settings
        self._max = min(settings.max_connections, _openable())
        self._per_address = settings.address_max_connections
        self._proxies = frozenset(settings.trusted_proxies)
        self._addresses: Counter[str] = Counter()
        self.guests: set[Guest] = set()
        self.count = 0

    def enter(self, host: str | None) -> str | None:
        """Let a connection in, or tell why not."""
        address = self._counted(host)
        if self.count >= self._max:
            return f"{self._max} connections are open, which is the most"
        if address is not None and self._per_address and self._addresses[address] >= self._per_address:
            return f"{self._per_address} connections are open from this address, which is the most"
        self.count += 1
        if address is not None:
            self._addresses[address] += 1
        return None

    def leave(self, host: str | None) -> None:
        """Take note that a connection is closed."""
        self.count -= 1
        address = self._counted(host)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    async def watch(self) -> None:
        """Dismiss those who are too slow, for as long as the server serves."""
        settings = self._settings
        shortest_s = min(settings.header_timeout_s, settings.body_timeout_s, settings.read_timeout_s)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, shortest_s / LOOKS))
            now = loop.time()
            for guest in list(self.guests):
                why = self._is_late(guest, now) or self._is_deaf(guest, now)
                if why:
                    logger.info("client cut off", extra={"why": why})
                    guest.dismiss(why)

    def _is_late(self, guest: Guest, now: float) -> str | None:
        if guest.owes_since is None or guest.is_held_back():
            return None
        waited_s = now - guest.owes_since
        if not guest.is_in_body:
            return "slow head" if waited_s > self._settings.header_timeout_s else None
        return "slow body" if waited_s > self._settings.body_timeout_s + guest.owed_bytes / MIN_BYTES_PER_S else None

    def _is_deaf(self, guest: Guest, now: float) -> str | None:
        unread = guest.unread()
        if not unread:
            guest.stalled_since = None
            return None
        if guest.stalled_since is None or unread != guest.unread_bytes:
            guest.stalled_since, guest.unread_bytes = now, unread
            return None
        return "does not read" if now - guest.stalled_since > self._settings.read_timeout_s else None

    def _counted(self, host: str | None) -> str | None:
        return None if host is None or host in self._proxies else counted_address(host)


def _openable() -> int:
    """Tell how many connections the system's limit on open files allows, after raising it as far as that goes."""
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
