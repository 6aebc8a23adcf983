"""The addresses of a host."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

__all__ = ["NameLookup"]

KEPT_S = 10.0
"""As aiohttp keeps them; a host that moves is asked for anew as soon as its old address fails."""

type Addresses = list[tuple[Any, ...]]


class NameLookup:
    """Looks a host up once for all who connect to it within some seconds.

    Streams that begin together need a connection each, and a resolver answers few questions at a time.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._looking: asyncio.Task[Addresses] | None = None
        self._kept_until = 0.0

    async def addresses(self) -> Addresses:
        """Return its addresses, as ``getaddrinfo`` does. Raises ``OSError``."""
        now = asyncio.get_running_loop().time()
        if self._looking is None or (self._looking.done() and now >= self._kept_until):
            self._looking = asyncio.create_task(self._looked_up())
            self._looking.add_done_callback(_retrieve)
        return await asyncio.shield(self._looking)

    def forget(self) -> None:
        """Look it up again next time: none of its addresses could be reached."""
        self._kept_until = 0.0

    async def _looked_up(self) -> Addresses:
        loop = asyncio.get_running_loop()
        self._kept_until = 0.0  # an error is not kept
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        self._kept_until = loop.time() + KEPT_S
        return list(found)


def _retrieve(looked: asyncio.Task[Addresses]) -> None:
    """Retrieve the error of a look-up that nobody waits for any more, which asyncio would log otherwise."""
    if not looked.cancelled():
        looked.exception()
