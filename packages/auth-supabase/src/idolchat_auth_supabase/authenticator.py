"""The scheme ``supabase``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp

from idolchat_api.auth import Authenticator, AuthUnavailable, Principal, SignIn, Unauthenticated
from idolchat_auth_supabase.asking import ask, new_client
from idolchat_auth_supabase.claims import NOT_GOOD, decoded, principal_of
from idolchat_auth_supabase.keyset import KeySet
from idolchat_auth_supabase.settings import HS256, SupabaseAuthSettings
from idolchat_core import read_settings

__all__ = ["SupabaseAuth", "open_supabase_auth"]


class SupabaseAuth(Authenticator):
    """Knows the users of a project by their access tokens."""

    description = "The access token of a Supabase session."

    def __init__(self, settings: SupabaseAuthSettings, client: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._client = client
        self._keys = KeySet(client, settings)

    @property
    def sign_in(self) -> SignIn | None:
        """The project's auth server, where its public key is known."""
        key = self._settings.anon_key
        if key is None:
            return None
        return SignIn(kind="supabase", url=self._settings.auth_url, public_key=key.get_secret_value())

    async def authenticate(self, token: str) -> Principal:
        """Check the signature, then what the token says."""
        settings = self._settings
        if HS256 not in settings.algorithms:
            claims = decoded(token, await self._keys.find(token), settings=settings)
        elif settings.secret is not None:
            claims = decoded(token, settings.secret.get_secret_value(), settings=settings)
        else:
            # What cannot be good is refused without asking.
            principal = principal_of(decoded(token, "", settings=settings, checks_signature=False), settings)
            await self._check_user(token, str(principal.user_id))
            return principal
        return principal_of(claims, settings)

    async def _check_user(self, token: str, user_id: str) -> None:
        """Ask the auth server whose token it is: Supabase's advice, for then the secret stays there."""
        key = self._settings.anon_key
        headers = {"Authorization": f"Bearer {token}", "apikey": key.get_secret_value() if key else ""}
        status, user = await ask(self._client, f"{self._settings.auth_url}/user", headers=headers)
        if status in (401, 403, 404):
            raise Unauthenticated(NOT_GOOD)
        if status != 200 or not isinstance(user, dict):
            raise AuthUnavailable(f"the Supabase auth server answered with {status}; check SUPABASE_ANON_KEY")
        if user.get("id") != user_id or user.get("role") != "authenticated":
            raise Unauthenticated(NOT_GOOD)


@asynccontextmanager
async def open_supabase_auth(settings: SupabaseAuthSettings | None = None) -> AsyncGenerator[SupabaseAuth]:
    """Open the scheme; ``settings`` are read from the environment where they are not given."""
    settings = settings or read_settings(SupabaseAuthSettings)
    async with new_client() as client:
        yield SupabaseAuth(settings, client)
