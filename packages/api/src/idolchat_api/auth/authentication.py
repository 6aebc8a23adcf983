"""Authentication of requests and tokens, with a cache."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping

from starlette.types import Scope

from idolchat_api.addresses import is_loopback
from idolchat_api.auth.authenticator import Authenticator
from idolchat_api.auth.principal import ANYONE, LOCAL, NOBODY, Principal
from idolchat_api.errors import Forbidden, TokenExpired, Unauthenticated

__all__ = ["Authentication"]

MAX_CACHED = 10_000
MAX_TOKEN_BYTES = 8192
_HINT = "send the header Authorization: Bearer <token>"


class Authentication:
    """Finds the principal of a request or token, and caches it for as long as the scheme allows.

    Without an authenticator everyone is let in: the machine's own user at a loopback address, or, with ``allow_open``,
    anyone at any. ``owner_token`` lets commands of the data folder's owner in, from this machine only.
    """

    def __init__(self, authenticator: Authenticator | None, *, allow_open: bool = False) -> None:
        self.authenticator = authenticator
        self.owner_token: str | None = None
        self._allow_open = allow_open
        self._by_address: dict[object, Principal] = {}
        self._cache: dict[bytes, tuple[Principal, float]] = {}
        self._pending: dict[bytes, asyncio.Task[Principal]] = {}

    async def authenticate_request(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Principal:
        """Return who makes a request; ``NOBODY`` without a token. Raises ``Unauthenticated``, ``Forbidden``."""
        if self._is_owner(scope, headers):
            return LOCAL
        if self.authenticator is None:
            address = (scope.get("server") or ("",))[0]
            return self._by_address.get(address) or self._without_login(address)
        given = headers.get(b"authorization")
        if given is None:
            return NOBODY
        kind, _, token = given.partition(b" ")
        if kind.lower() == b"bearer" and not token.strip():  # how SillyTavern and others send that they have no key
            return NOBODY
        if kind.lower() != b"bearer":
            raise Unauthenticated(f"the Authorization header is of another kind: {_HINT}")
        return await self._cached_principal(token.strip())

    def _is_owner(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request has the token that only the owner of the data folder can read, and is of this machine."""
        given = headers.get(b"authorization")
        if self.owner_token is None or given is None:
            return False
        client = (scope.get("client") or ("",))[0]
        return is_loopback(client) and hmac.compare_digest(given, b"Bearer " + self.owner_token.encode())

    async def authenticate_token(self, token: str) -> Principal:
        """Return the principal of a token. Raises as ``Authenticator.authenticate`` does."""
        return LOCAL if self.authenticator is None else await self._cached_principal(token.encode())

    async def _cached_principal(self, token: bytes) -> Principal:
        digest = hashlib.sha256(token).digest()  # so that no token lies in memory for longer than its request
        cached = self._cache.get(digest)
        if cached is not None and time.time() < cached[1]:
            return cached[0]
        pending = self._pending.get(digest)
        if pending is None:
            pending = asyncio.ensure_future(self._authenticate(token, digest))
            self._pending[digest] = pending
            pending.add_done_callback(lambda done: self._forget_pending(digest, done))
        return await asyncio.shield(pending)

    async def _authenticate(self, token: bytes, digest: bytes) -> Principal:
        self._cache.pop(digest, None)
        if self.authenticator is None or not token or len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise Unauthenticated(f"this is no token: {_HINT}")
        principal = await self.authenticator.authenticate(token.decode("ascii"))
        now = time.time()
        until = now + self.authenticator.trusted_for_s
        if principal.expires_at is not None:
            until = min(until, principal.expires_at.timestamp())
            if until <= now:
                raise TokenExpired
        while len(self._cache) >= MAX_CACHED:
            del self._cache[next(iter(self._cache))]
        self._cache[digest] = principal, until
        return principal

    def _forget_pending(self, digest: bytes, done: asyncio.Task[Principal]) -> None:
        del self._pending[digest]
        if not done.cancelled():
            done.exception()  # whoever asked may have left, and that is no fault

    def _without_login(self, address: str) -> Principal:
        """Return the principal of everyone at an address of this server, which another ASGI server may have bound."""
        if self._allow_open:
            principal = ANYONE
        elif address.startswith("/") or not address or is_loopback(address):
            principal = LOCAL
        else:
            raise Forbidden(
                "this server has no login and others may reach this address, so it answers nobody here: set"
                " IDOLCHAT_AUTH, or IDOLCHAT_ALLOW_OPEN=1"
            )
        self._by_address[address] = principal
        return principal
