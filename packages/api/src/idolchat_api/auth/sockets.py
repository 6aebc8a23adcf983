"""The sockets that are open: who is no longer let in is put out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from idolchat_api.auth.gate import Gate
from idolchat_api.auth.principal import Principal
from idolchat_api.errors import Unauthenticated
from idolchat_core.errors import IdolchatError

__all__ = ["Admission", "Sockets", "watching"]

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
AT_ONCE = 32


@dataclass(eq=False, slots=True, kw_only=True)
class Admission:
    """Somebody who was let in, by a token or without; ``put_out`` ends their socket, and says why."""

    principal: Principal
    token: str | None
    put_out: Callable[[str], Awaitable[None]] = field(repr=False)

    @property
    def has_expired(self) -> bool:
        """Tell whether the time of the token is over."""
        expires_at = self.principal.expires_at
        return expires_at is not None and expires_at.timestamp() <= time.time()


class Sockets:
    """Looks after those who were let in, every second."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._inside: set[Admission] = set()

    def add(self, admission: Admission) -> None:
        """Look after a socket."""
        self._inside.add(admission)

    def discard(self, admission: Admission) -> None:
        """Look no longer after one that has closed."""
        self._inside.discard(admission)

    async def watch(self) -> None:
        """Put out whose token has expired or was withdrawn, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            inside = list(self._inside)
            await _together([self._put_out(one, "the token has expired") for one in inside if one.has_expired])
            staying = [one for one in inside if not one.has_expired and one.token is not None]
            for start in range(0, len(staying), AT_ONCE):
                await _together([self._check(one) for one in staying[start : start + AT_ONCE]])

    async def _check(self, one: Admission) -> None:
        try:
            one.principal = await self._gate.principal(one.token or "")
        except Unauthenticated as error:
            await self._put_out(one, str(error))
        except IdolchatError as error:
            logger.warning("a socket's token cannot be checked now", extra={"code": error.code})

    async def _put_out(self, one: Admission, why: str) -> None:
        if one in self._inside:
            self._inside.discard(one)
            await one.put_out(why)


@asynccontextmanager
async def watching(sockets: Sockets) -> AsyncGenerator[None]:
    """Look after the sockets meanwhile."""
    watch = asyncio.create_task(sockets.watch())
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.wait({watch})


async def _together(checks: list[Awaitable[None]]) -> None:
    for result in await asyncio.gather(*checks, return_exceptions=True):
        if isinstance(result, Exception):
            logger.error("a socket could not be looked after", exc_info=result)
