"""How far facts were drawn from a conversation, and what of them is still to be written down."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from idolchat_core import NO_RECORD, Change, Storage
from idolchat_memory.notes import Note

__all__ = ["FACTS", "WAITING", "FactsState", "FactsStates"]

FACTS: Final = "facts"
WAITING: Final = "facts-waiting"
"""Namespaces: the state of each conversation, and those in which something was said since."""


class FactsState(BaseModel):
    """Up to which message facts were drawn, written at once with the notes that came of it.

    A crash between this and the notes is made good from ``pending``; one before it costs one call of the model.
    """

    model_config = ConfigDict(frozen=True)

    user_id: str | None
    last_message_id: str | None = None
    pending: tuple[Note, ...] = ()


class FactsStates:
    """The states of all conversations, records of the storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def of(self, conversation_id: UUID, user_id: str | None) -> tuple[FactsState, str]:
        """Read how far a conversation was looked through, and the version of what tells so."""
        record = await self._storage.read_record(FACTS, str(conversation_id))
        if record is None:
            return FactsState(user_id=user_id), NO_RECORD
        return FactsState.model_validate_json(record.value), record.version

    async def put(self, conversation_id: UUID, state: FactsState, version: str) -> str:
        """Write it down, and return the new version. Raises ``StorageConflict`` where another server did meanwhile."""
        value = state.model_dump_json().encode()
        return await self._storage.put_record(FACTS, str(conversation_id), value, if_version=version)

    async def waiting(self) -> Sequence[UUID]:
        """List the conversations in which something was said since."""
        return [UUID(name) for name in await self._storage.list_records(WAITING)]

    async def wait(self, conversation_id: UUID) -> None:
        """Write down that something was said, before it is looked at."""
        await self._storage.put_record(WAITING, str(conversation_id), b"{}")

    async def done(self, conversation_id: UUID) -> None:
        """Write down that all was looked at."""
        await self._storage.delete_record(WAITING, str(conversation_id))

    async def follow(self, change: Change) -> None:
        """Forget a conversation that is gone, whether facts are drawn now or not. Raises ``StorageUnavailable``."""
        if change.revision is None:
            await self.forget(change.conversation_id)

    async def rests_on(self, conversation_id: UUID) -> bool:
        """Return whether anything is kept of a conversation."""
        return await self._storage.get_record(FACTS, str(conversation_id)) is not None

    async def known(self) -> Collection[UUID]:
        """List the conversations of which anything is kept."""
        return {UUID(name) for namespace in (FACTS, WAITING) for name in await self._storage.list_records(namespace)}

    async def forget(self, conversation_id: UUID) -> None:
        """Forget a conversation that is gone."""
        await self.done(conversation_id)
        await self._storage.delete_record(FACTS, str(conversation_id))
