"""Who is being told something for longer: whoever is no longer let in is put out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from starlette.types import Scope

from idolchat_api.auth.authentication import Gate
from idolchat_api.auth.principal import Principal
from idolchat_api.errors import TokenExpired, Unauthenticated
from idolchat_core.errors import IdolchatError

__all__ = ["Admission", "Admissions", "token_of", "watching"]

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
AT_ONCE = 32


@dataclass(eq=False, slots=True, kw_only=True)
class Admission:
    """Somebody who was let in, by a token or without; ``put_out`` ends their socket or stream, and says why."""

    principal: Principal
    token: str | None
    put_out: Callable[[Unauthenticated], Awaitable[None]] = field(repr=False)

    @property
    def has_expired(self) -> bool:
        """Tell whether the time of the token is over."""
        expires_at = self.principal.expires_at
        return expires_at is not None and expires_at.timestamp() <= time.time()


class Admissions:
    """Looks after those who were let in, every second."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._inside: set[Admission] = set()

    def add(self, admission: Admission) -> None:
        """Look after somebody."""
        self._inside.add(admission)

    def discard(self, admission: Admission) -> None:
        """Look no longer after somebody who has gone."""
        self._inside.discard(admission)

    @contextmanager
    def during(self, scope: Scope, put_out: Callable[[Unauthenticated], Awaitable[None]]) -> Generator[None]:
        """Look after whoever made a request, meanwhile."""
        if self._gate.authenticator is None:
            yield
            return
        admission = Admission(principal=scope["state"]["principal"], token=token_of(scope), put_out=put_out)
        self.add(admission)
        try:
            yield
        finally:
            self.discard(admission)

    async def watch(self) -> None:
        """Put out whose token has expired or was withdrawn, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            inside = list(self._inside)
            await _together([self._put_out(one, TokenExpired()) for one in inside if one.has_expired])
            staying = [one for one in inside if not one.has_expired and one.token is not None]
            for start in range(0, len(staying), AT_ONCE):
                await _together([self._check(one) for one in staying[start : start + AT_ONCE]])

    async def _check(self, one: Admission) -> None:
        try:
            one.principal = await self._gate.principal(one.token or "")
        except Unauthenticated as error:
            await self._put_out(one, error)
        except IdolchatError as error:
            logger.warning("a token cannot be checked again now", extra={"code": error.code})

    async def _put_out(self, one: Admission, why: Unauthenticated) -> None:
        if one in self._inside:
            self._inside.discard(one)
            await one.put_out(why)


@asynccontextmanager
async def watching(admissions: Admissions) -> AsyncGenerator[None]:
    """Look after who is inside meanwhile."""
    watch = asyncio.create_task(admissions.watch())
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.wait({watch})


async def _together(checks: list[Awaitable[None]]) -> None:
    for result in await asyncio.gather(*checks, return_exceptions=True):
        if isinstance(result, Exception):
            logger.error("somebody could not be put out", exc_info=result)


def token_of(scope: Scope) -> str | None:
    """Give the token of a request or handshake, which the gate has let in."""
    given = dict(scope["headers"]).get(b"authorization")
    return given.partition(b" ")[2].strip().decode("ascii") if given else None
