"""What a mirror of a shared storage has not followed yet: as the storage itself tells it, and notes of records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from uuid import UUID

from idolchat_core.coordination.contract import SharedStorage
from idolchat_core.mirror.outbox import Note, Outbox, Subject
from idolchat_core.storage.changes import StoredChange

__all__ = ["SharedOutbox"]

_PLACE = "since"
_GONE = "gone."
"""Begins the name of a note that stands in the storage as a history that is gone."""


class SharedOutbox(Outbox):
    """Deletions and rewritten histories are noted by the storage, whichever process makes them.

    They are read from ``reached`` on: the place among the changes up to which the mirror has all.
    """

    def __init__(self, storage: SharedStorage, namespace: str) -> None:
        super().__init__(storage, namespace)
        self.shared = storage
        self.reached: str | None = None
        self._place = (namespace, _PLACE)
        self._since: str | None = None
        self._gone: dict[Subject, dict[str, Note]] = {}

    def of(self, subject: Subject) -> Sequence[Note]:
        return (*super().of(subject), *self._gone.get(subject, {}).values())

    def __iter__(self) -> Iterator[Subject]:
        return iter({**dict.fromkeys(super().__iter__()), **dict.fromkeys(self._gone)})

    async def read(self) -> list[Subject]:
        found = await super().read()
        await self.read_place()
        since = self._since
        async for page in self.shared.changes(since):
            found += [change.conversation_id for change in page.changes if self._keep_gone(change)]
            self._since = page.next
        return found

    async def read_place(self) -> str | None:
        """Read how far the mirror has come; what it has followed since the last time is forgotten here."""
        value = await self._storage.get_record(*self._place)
        reached = value.decode(errors="replace") if value is not None else None
        if reached != self.reached:
            self.reached = self._since = reached
            self._gone.clear()
        return reached

    async def advance(self, place: str) -> None:
        """Record that the mirror has all before a place. Raises ``StorageUnavailable``."""
        if place != self.reached:
            await self._storage.put_record(*self._place, place.encode(), durable=False)
            self.reached = place

    async def hand_over(self, subject: Subject, note: Note) -> None:
        """Leave a note of this process, whose change has been made or has failed, to the one that copies."""
        self._being_made.discard(note.name)
        self._drop(subject, note.name)
        await self.publish_done(note)

    async def remove(self, subject: Subject, notes: Iterable[Note]) -> None:
        for note in notes:
            if note.name.startswith(_GONE):
                mine = self._gone.get(subject, {})
                mine.pop(note.name, None)
                if not mine:
                    self._gone.pop(subject, None)
            else:
                await super().remove(subject, [note])

    async def left(self) -> set[object]:
        """Tell what the mirror does not have yet, so that it can be compared with what it does not have later."""
        place = await self.read_place()
        notes = await self._storage.list_records(self._namespace)
        changes = [change async for page in self.shared.changes(place) for change in page.changes]
        return set(chain(notes, changes))

    def _keep_gone(self, change: StoredChange) -> bool:
        if change.gone is None:
            return False
        history = change.gone.isoformat()
        conversation_id: UUID = change.conversation_id
        self._gone.setdefault(conversation_id, {})[_GONE + history] = Note(_GONE + history, history, is_done=True)
        return True
