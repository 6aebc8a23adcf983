"""The signing keys of a project, as it publishes them (JWKS, RFC 7517)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import jwt

from idolchat_api.auth import AuthUnavailable, Unauthenticated
from idolchat_auth_supabase.asking import ask
from idolchat_auth_supabase.claims import NOT_GOOD
from idolchat_auth_supabase.settings import SupabaseAuthSettings

__all__ = ["KeySet"]

logger = logging.getLogger(__name__)

_KINDS = {"ES256": "EC", "RS256": "RSA"}
MAX_KEYS = 32


class KeySet:
    """Knows the keys by their ids; fetches them anew when they are old, or when a token names one that is not known.

    A fetch is made no more often than ``keys_cooldown_s``, whatever tokens come. While none succeeds, the keys are used
    on for ``keys_stale_s``.
    """

    def __init__(self, client: aiohttp.ClientSession, settings: SupabaseAuthSettings) -> None:
        self._client = client
        self._settings = settings
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, token: str) -> Any:
        """Find the key that a token says it is signed with. Raises ``Unauthenticated``, ``AuthUnavailable``."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Unauthenticated(NOT_GOOD) from None
        key_id, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in self._settings.algorithms or not isinstance(key_id, str):
            raise Unauthenticated(f"{NOT_GOOD}: its algorithm is not one of IDOLCHAT_SUPABASE_JWT_ALGORITHMS")
        await self._refresh(wanted=key_id)
        key = self._keys.get(key_id)
        if key is None or key.key_type != _KINDS[algorithm] or key.algorithm_name != algorithm:
            raise Unauthenticated(f"{NOT_GOOD}: it is signed with a key that the project does not have now")
        return key.key

    async def _refresh(self, *, wanted: str) -> None:
        if not self._is_wanting(wanted):
            return
        async with self._fetching:  # whoever comes while they are fetched waits for that
            if self._is_wanting(wanted) and self._may_ask():
                await self._fetch()
        if self._age() > self._settings.keys_max_age_s + self._settings.keys_stale_s:
            self._keys = {}
            raise AuthUnavailable("the signing keys of the Supabase project cannot be fetched now; try again later")

    def _is_wanting(self, wanted: str) -> bool:
        return wanted not in self._keys or self._age() > self._settings.keys_max_age_s

    def _may_ask(self) -> bool:
        return self._tried_at is None or time.monotonic() >= self._tried_at + self._settings.keys_cooldown_s

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else time.monotonic() - self._fetched_at

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        url = f"{self._settings.auth_url}/.well-known/jwks.json"
        try:
            status, told = await ask(self._client, url)
        except AuthUnavailable as error:
            logger.warning("signing keys could not be fetched", extra={"reason": str(error)})
            return
        found = told.get("keys") if isinstance(told, dict) else None
        if status != 200 or not isinstance(found, list):
            logger.warning("signing keys could not be fetched", extra={"status": status})
            return
        self._keys = _usable(found)
        self._fetched_at = time.monotonic()
        if not self._keys:
            logger.warning("the project publishes no signing keys: it uses HS256, or has none that can be used")


def _usable(found: list[Any]) -> dict[str, jwt.PyJWK]:
    keys = {}
    for one in found[:MAX_KEYS]:
        if not isinstance(one, dict) or one.get("kty") not in _KINDS.values() or one.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(one)
        except jwt.PyJWTError:
            continue
        if isinstance(key.key_id, str):
            keys[key.key_id] = key
    return keys
