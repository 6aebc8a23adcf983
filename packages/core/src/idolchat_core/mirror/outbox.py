"""Durable notes of the changes that a list does not show: deletions, replacements, fields that were set, records."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import NamedTuple
from uuid import UUID

from idolchat_core.models import new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.records import RecordKey

__all__ = ["ANY_HISTORY", "Note", "Outbox", "Subject", "about"]

log = logging.getLogger(__name__)

ANY_HISTORY = "*"
"""Stands for a history that could not be read when it was replaced or deleted."""

type Subject = UUID | RecordKey
"""What is copied: a conversation, or a record."""

_RECORD = "record"
"""Begins the name of a note about a record, whose text ends with which one."""
_UNDONE = "?"
"""Begins a note whose change is still being made."""
_DONE_AFTER_S = 60.0
"""After so long a change of another process has been made, or that process has died."""


class Note(NamedTuple):
    """One note; ``is_done`` says that its change has been made, so that whoever follows it may drop it."""

    name: str
    text: str
    is_done: bool


class Outbox:
    """The notes for one consumer, records of the primary; any process on the data folder may add some.

    A note says: look at the conversation, or the record, again. It does not say how it is now. It is written before the
    change, so one that is followed before the change was made is kept: until its writer says that it was made, or has
    had a minute for it.
    """

    def __init__(self, storage: Storage, namespace: str) -> None:
        self._storage = storage
        self._namespace = f"{namespace}.outbox"
        self._notes: dict[Subject, dict[str, Note]] = {}
        self._unreadable: set[str] = set()
        self._being_made: set[str] = set()

    def of(self, subject: Subject) -> Sequence[Note]:
        """Return the notes about a conversation or a record, oldest first."""
        return tuple(self._notes.get(subject, {}).values())

    def __iter__(self) -> Iterator[Subject]:
        return iter(tuple(self._notes))

    async def add(self, subject: Subject, text: str) -> Note:
        """Record a change before it is made, durably; ``done`` is to be called after it."""
        is_record = isinstance(subject, RecordKey)
        name = f"{_RECORD if is_record else subject}.{new_id().hex}"
        note = Note(name, f"{text} {subject}" if is_record else text, is_done=False)
        await self._storage.put_record(self._namespace, note.name, (_UNDONE + note.text).encode())
        self._being_made.add(note.name)
        self._keep(subject, note)
        return note

    def done(self, subject: Subject, note: Note) -> None:
        """Record that a change noted here has been made, or has failed."""
        self._being_made.discard(note.name)
        self._keep(subject, note._replace(is_done=True))

    async def publish_done(self, note: Note) -> None:
        """Publish what ``done`` has recorded to other processes. Raises ``StorageUnavailable``."""
        await self._storage.put_record(self._namespace, note.name, note.text.encode(), durable=False)

    async def read(self) -> list[Subject]:
        """Read the notes that this process does not know yet, or whose changes have been made since.

        Those that another process has dropped are dropped here. Raises ``StorageUnavailable``.
        """
        known = {name: note for notes in self._notes.values() for name, note in notes.items()}
        names = await self._storage.list_records(self._namespace)
        self._forget(known.keys() - names - self._being_made)
        found = []
        for name in names:
            is_waited_for = name in known and not known[name].is_done and name not in self._being_made
            if name in self._unreadable or (name in known and not is_waited_for):
                continue
            subject, note = await self._read_one(name)
            if note is not None and subject is not None and note != known.get(name):
                self._keep(subject, note)
                found.append(subject)
        return found

    def _forget(self, names: Set[str]) -> None:
        if names:
            for subject in tuple(self._notes):
                for name in names & self._notes[subject].keys():
                    self._drop(subject, name)

    def _drop(self, subject: Subject, name: str) -> None:
        mine = self._notes.get(subject, {})
        mine.pop(name, None)
        if not mine:
            self._notes.pop(subject, None)

    async def _read_one(self, name: str) -> tuple[Subject | None, Note | None]:
        value = await self._storage.get_record(self._namespace, name)
        if value is None:
            return None, None
        text = value.decode(errors="replace")
        subject = _subject_of(name, text)
        if subject is None:
            log.warning("a note of a change cannot be read", extra={"record": name})
            self._unreadable.add(name)
        is_done = not text.startswith(_UNDONE) or _age_s(name) > _DONE_AFTER_S
        return subject, Note(name, text.removeprefix(_UNDONE), is_done)

    async def remove(self, subject: Subject, notes: Iterable[Note]) -> None:
        """Drop notes that have been followed, unless their change may come yet. Raises ``StorageUnavailable``."""
        for note in notes:
            if note.is_done:
                await self._storage.delete_record(self._namespace, note.name)
                self._drop(subject, note.name)

    def _keep(self, subject: Subject, note: Note) -> None:
        self._notes.setdefault(subject, {})[note.name] = note


def about(subject: Subject) -> dict[str, str]:
    """Name a conversation or a record for a line of the log."""
    return {"record" if isinstance(subject, RecordKey) else "conversation_id": str(subject)}


def _subject_of(name: str, text: str) -> Subject | None:
    beginning = name.partition(".")[0]
    if beginning == _RECORD:
        namespace, _, record = text.rpartition(" ")[2].partition("/")
        return RecordKey(namespace, record) if record else None
    try:
        return UUID(beginning)
    except ValueError:
        return None


def _age_s(name: str) -> float:
    """Return how old a note is by the time in its own id (UUIDv7, RFC 9562); a clock may have been set back since."""
    try:
        made_ms = UUID(name.partition(".")[2]).int >> 80
    except ValueError:
        return float("inf")
    return abs(time.time() - made_ms / 1000)
