"""Which conversations notes rest on: written down before they do, so that a conversation that goes takes them along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from idolchat_core import NO_RECORD, Storage, StorageConflict
from idolchat_memory.notes.note import NoteScope

__all__ = ["ATTEMPTS", "Citations"]

CITATIONS: Final = "note-citations"
"""The namespace: by conversation, the scopes whose notes rest on it."""
ATTEMPTS: Final = 20
"""How often a record is read again that others change meanwhile."""


class _Citation(BaseModel):
    """Which scopes, by the names of their records, have notes that rest on a conversation."""

    model_config = ConfigDict(frozen=True)

    user_id: str | None
    scopes: tuple[str, ...] = ()


class Citations:
    """The conversations that notes rest on, with the scopes of those notes."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def add(self, conversation_id: UUID, scope: NoteScope) -> None:
        """Write down that notes of a scope are about to rest on a conversation, before they do.

        Raises ``StorageConflict`` and ``StorageUnavailable``.
        """
        name = scope.record_name
        for _ in range(ATTEMPTS):
            record = await self._storage.read_record(CITATIONS, str(conversation_id))
            known = _Citation.model_validate_json(record.value) if record else _Citation(user_id=scope.user_id)
            if name in known.scopes:
                return
            value = known.model_copy(update={"scopes": (*known.scopes, name)}).model_dump_json().encode()
            version = record.version if record else NO_RECORD
            try:
                await self._storage.put_record(CITATIONS, str(conversation_id), value, if_version=version)
            except StorageConflict:
                continue
            return
        raise StorageConflict("the notes are being changed by others; send again")

    async def scopes_of(self, conversation_id: UUID) -> Sequence[str]:
        """List the names of the records of the scopes that have notes which rest on a conversation."""
        value = await self._storage.get_record(CITATIONS, str(conversation_id))
        return _Citation.model_validate_json(value).scopes if value else ()

    async def conversations(self) -> Sequence[UUID]:
        """List the conversations that notes rest on."""
        return [UUID(name) for name in await self._storage.list_records(CITATIONS)]

    async def forget(self, conversation_id: UUID) -> None:
        """Forget that notes rested on a conversation: none does any more."""
        await self._storage.delete_record(CITATIONS, str(conversation_id))
