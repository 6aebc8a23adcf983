"""Who is calling is found out once, outside of everything else."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping

from starlette.types import Scope

from idolchat_api.addresses import is_loopback
from idolchat_api.auth.authenticator import Authenticator
from idolchat_api.auth.principal import ANYONE, LOCAL, NOBODY, Principal
from idolchat_api.errors import Forbidden, TokenExpired, Unauthenticated

__all__ = ["Gate"]

MAX_KNOWN = 10_000
MAX_TOKEN_BYTES = 8192
_HOW = "send the header Authorization: Bearer <token>"


class Gate:
    """Finds the principal of a request or a token, and remembers it for as long as its scheme allows.

    Without an authenticator everyone is let in: the machine's own user at a loopback address, or, with ``allow_open``,
    anyone at any.
    """

    def __init__(self, authenticator: Authenticator | None, *, allow_open: bool = False) -> None:
        self.authenticator = authenticator
        self._allow_open = allow_open
        self._everyone: dict[object, Principal] = {}
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self._asking: dict[bytes, asyncio.Task[Principal]] = {}

    async def admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Principal:
        """Tell who makes a request; ``NOBODY`` where it does not say. Raises ``Unauthenticated``, ``Forbidden``."""
        if self.authenticator is None:
            address = (scope.get("server") or ("",))[0]
            return self._everyone.get(address) or self._at(address)
        given = headers.get(b"authorization")
        if given is None:
            return NOBODY
        kind, _, token = given.partition(b" ")
        if kind.lower() != b"bearer":
            raise Unauthenticated(f"the Authorization header is of another kind: {_HOW}")
        return await self._principal(token.strip())

    async def principal(self, token: str) -> Principal:
        """Tell whose token this is. Raises as ``Authenticator.authenticate`` does."""
        return LOCAL if self.authenticator is None else await self._principal(token.encode())

    async def _principal(self, token: bytes) -> Principal:
        digest = hashlib.sha256(token).digest()  # so that no token lies in memory for longer than its request
        known = self._known.get(digest)
        if known is not None and time.time() < known[1]:
            return known[0]
        asking = self._asking.get(digest)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(token, digest))
            self._asking[digest] = asking
            asking.add_done_callback(lambda done: self._asked(digest, done))
        return await asyncio.shield(asking)

    async def _ask(self, token: bytes, digest: bytes) -> Principal:
        self._known.pop(digest, None)
        if self.authenticator is None or not token or len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise Unauthenticated(f"this is no token: {_HOW}")
        principal = await self.authenticator.authenticate(token.decode("ascii"))
        now = time.time()
        until = now + self.authenticator.trusted_for_s
        if principal.expires_at is not None:
            until = min(until, principal.expires_at.timestamp())
            if until <= now:
                raise TokenExpired
        while len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[digest] = principal, until
        return principal

    def _asked(self, digest: bytes, done: asyncio.Task[Principal]) -> None:
        del self._asking[digest]
        if not done.cancelled():
            done.exception()  # whoever asked may have left, and that is no fault

    def _at(self, address: str) -> Principal:
        """Tell who everyone is at an address of this server, which another program than ours may have chosen."""
        if self._allow_open:
            principal = ANYONE
        elif address.startswith("/") or not address or is_loopback(address):
            principal = LOCAL
        else:
            raise Forbidden(
                "this server has no login and others may reach this address, so it answers nobody here: set"
                " IDOLCHAT_AUTH, or IDOLCHAT_ALLOW_OPEN=1"
            )
        self._everyone[address] = principal
        return principal
