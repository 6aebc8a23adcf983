"""Durable notes of the changes that a list does not show: deletions, replacements, fields that were set."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from idolchat_core.models import new_id
from idolchat_core.storage.contract import Storage

__all__ = ["ANY_HISTORY", "Note", "Outbox"]

log = logging.getLogger(__name__)

ANY_HISTORY = "*"
"""Stands for a history that could not be read when it was replaced or deleted."""


class Note(NamedTuple):
    """One note; ``history`` is the ``created_at`` of what was there, which the mirror need not keep."""

    name: str
    history: str


class Outbox:
    """The notes for one mirror, records of the primary; any process on the data folder may add some.

    A note says: make the mirror as the primary is. It does not say how the primary is.
    """

    def __init__(self, storage: Storage, mirror: str) -> None:
        self._storage = storage
        self._namespace = f"mirror.{mirror}.outbox"
        self._notes: dict[UUID, dict[str, Note]] = {}
        self._dropped: set[str] = set()

    def of(self, conversation_id: UUID) -> Sequence[Note]:
        """Give the notes about a conversation."""
        return tuple(self._notes.get(conversation_id, {}).values())

    def __iter__(self) -> Iterator[UUID]:
        return iter(tuple(self._notes))

    async def add(self, conversation_id: UUID, history: datetime | str | None) -> None:
        """Note a change before it is made, durably; ``history`` is what it replaces or deletes, if anything."""
        text = history.isoformat() if isinstance(history, datetime) else history or ""
        name = f"{conversation_id}.{new_id().hex}"
        await self._storage.put_record(self._namespace, name, text.encode())
        self._notes.setdefault(conversation_id, {})[name] = Note(name, text)

    async def read(self) -> list[UUID]:
        """Take up notes that this process does not know yet. Raises ``StorageUnavailable``."""
        known = {name for notes in self._notes.values() for name in notes} | self._dropped
        found = []
        for name in await self._storage.list_records(self._namespace):
            if name in known:
                continue
            conversation_id = _id_of(name)
            text = await self._storage.get_record(self._namespace, name)
            if conversation_id is None or text is None:
                log.warning("a note for the mirror cannot be read", extra={"record": name})
                self._dropped.add(name)
                continue
            self._notes.setdefault(conversation_id, {})[name] = Note(name, text.decode())
            found.append(conversation_id)
        return found

    async def remove(self, conversation_id: UUID, notes: Iterable[Note]) -> None:
        """Drop notes that have been followed. Raises ``StorageUnavailable``."""
        for note in notes:
            await self._storage.delete_record(self._namespace, note.name)
            mine = self._notes.get(conversation_id, {})
            mine.pop(note.name, None)
            if not mine:
                self._notes.pop(conversation_id, None)


def _id_of(name: str) -> UUID | None:
    try:
        return UUID(name.partition(".")[0])
    except ValueError:
        return None
