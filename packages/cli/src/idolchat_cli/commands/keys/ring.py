"""The keys of the storage in use, and how programs are told of one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from pydantic import Field

from idolchat_api.auth.api_key import KeyRing
from idolchat_api.auth.keys import ApiKey
from idolchat_cli.opening import open_conversations
from idolchat_cli.results import Result
from idolchat_core.models import utc_now

__all__ = ["KeyInfo", "describe", "open_ring"]


class KeyInfo(Result):
    """An API key, as far as it is kept."""

    id: str = Field(description="names it; `idol keys revoke` takes it")
    name: str
    hint: str = Field(description="the last characters of the key")
    state: str = Field(description="active, expired or revoked")
    scopes: tuple[str, ...]
    user_id: UUID | None = Field(description="whose key it is; null for a back end that acts for any user")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def describe(key: ApiKey) -> KeyInfo:
    """Describe a key."""
    return KeyInfo(
        id=key.id,
        name=key.name,
        hint=key.hint,
        state=key.state(utc_now()),
        scopes=tuple(sorted(key.scopes)),
        user_id=key.user_id,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )


@asynccontextmanager
async def open_ring() -> AsyncGenerator[KeyRing]:
    """Open the storage that a server here uses, beside it where it runs."""
    async with open_conversations() as opened:
        yield KeyRing(opened.storage)
