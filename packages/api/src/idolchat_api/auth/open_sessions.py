"""Open sockets and streams, which are closed when their token expires or is revoked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from starlette.types import Scope

from idolchat_api.auth.authentication import Authentication
from idolchat_api.auth.principal import Principal
from idolchat_api.errors import TokenExpired, Unauthenticated
from idolchat_core.errors import IdolchatError

__all__ = ["OpenSession", "OpenSessions", "recheck_sessions", "token_of"]

logger = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0
MAX_CONCURRENT_CHECKS = 32


@dataclass(eq=False, slots=True, kw_only=True)
class OpenSession:
    """An open socket or stream; ``revoke`` closes it with the reason."""

    principal: Principal
    token: str | None
    revoke: Callable[[Unauthenticated], Awaitable[None]] = field(repr=False)

    @property
    def has_expired(self) -> bool:
        """Whether the token has expired."""
        expires_at = self.principal.expires_at
        return expires_at is not None and expires_at.timestamp() <= time.time()


class OpenSessions:
    """Checks the tokens of open sockets and streams every second."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication
        self._sessions: set[OpenSession] = set()

    def add(self, session: OpenSession) -> None:
        self._sessions.add(session)

    def discard(self, session: OpenSession) -> None:
        self._sessions.discard(session)

    @contextmanager
    def tracked(self, scope: Scope, revoke: Callable[[Unauthenticated], Awaitable[None]]) -> Generator[None]:
        """Check the token of a request while the block runs, where there is a login."""
        if self._authentication.authenticator is None:
            yield
            return
        session = OpenSession(principal=scope["state"]["principal"], token=token_of(scope), revoke=revoke)
        self.add(session)
        try:
            yield
        finally:
            self.discard(session)

    async def recheck(self) -> None:
        """Revoke sessions whose token has expired or was withdrawn, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            sessions = list(self._sessions)
            await _run_all([self._revoke(session, TokenExpired()) for session in sessions if session.has_expired])
            remaining = [session for session in sessions if not session.has_expired and session.token is not None]
            for start in range(0, len(remaining), MAX_CONCURRENT_CHECKS):
                await _run_all([self._check(session) for session in remaining[start : start + MAX_CONCURRENT_CHECKS]])

    async def _check(self, session: OpenSession) -> None:
        try:
            session.principal = await self._authentication.authenticate_token(session.token or "")
        except Unauthenticated as error:
            await self._revoke(session, error)
        except IdolchatError as error:
            logger.warning("a token cannot be checked again now", extra={"code": error.code})

    async def _revoke(self, session: OpenSession, reason: Unauthenticated) -> None:
        if session in self._sessions:
            self._sessions.discard(session)
            await session.revoke(reason)


@asynccontextmanager
async def recheck_sessions(open_sessions: OpenSessions) -> AsyncGenerator[None]:
    """Check the open sessions while the block runs."""
    task = asyncio.create_task(open_sessions.recheck())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _run_all(checks: list[Awaitable[None]]) -> None:
    for result in await asyncio.gather(*checks, return_exceptions=True):
        if isinstance(result, Exception):
            logger.error("an open session could not be closed", exc_info=result)


def token_of(scope: Scope) -> str | None:
    """Return the token of an authenticated request or handshake; None without one."""
    given = dict(scope["headers"]).get(b"authorization")
    return (given.partition(b" ")[2].strip().decode("ascii") or None) if given else None
