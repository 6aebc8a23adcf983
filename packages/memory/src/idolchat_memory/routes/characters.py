"""Characters as requests name them."""

from __future__ import annotations

from uuid import UUID

from idolchat_api import Caller
from idolchat_core import StoredId

__all__ = ["character_id_of"]


async def character_id_of(caller: Caller, named: UUID | str | None, user_id: StoredId | None) -> UUID | str | None:
    """Return the id of the character that a slug names; what names none is an id as documents have it."""
    entry = None if named is None else await caller.service.characters.find(named, user_id)
    return entry.id if entry else named
