"""Where notes are kept: a record for each scope, so that what belongs together changes together."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict

from idolchat_core import NO_RECORD, InvalidRequest, Storage, StorageConflict, forget_explanations, new_id, utc_now
from idolchat_memory.notes.citations import ATTEMPTS, Citations
from idolchat_memory.notes.note import Note, NoteScope, Writer, user_key

__all__ = ["NOTES", "NoteStore", "notes_of"]

NOTES: Final = "notes"
"""The namespace: the notes, by scope."""
_CHANGED: Final = ("notes-changed", "stamp")
MAX_NOTES = 200
FRESH_S = 2.0
"""How long another process's change may stay unseen."""
_MAX_KEPT = 10_000
_PAGE = 500

type Notes = tuple[Note, ...]


class _Scoped(BaseModel):
    """A scope as it is stored; it is erased with the user whose ``user_id`` it has."""

    model_config = ConfigDict(frozen=True)

    user_id: str | None
    character_id: str | None
    notes: Notes = ()


class NoteStore:
    """The notes of all users; ``citations`` are the conversations that they rest on.

    What was read is kept in memory for as long as no process has changed any note, which is looked for every two
    seconds at most: a turn of somebody without notes reads nothing.
    """

    def __init__(self, storage: Storage, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.citations = Citations(storage)
        self._storage = storage
        self._clock = clock
        self._kept: OrderedDict[str, Notes] = OrderedDict()
        self._stamp: bytes | None = None
        self._is_untold = False
        self._fresh_until = 0.0

    def are_empty(self, scopes: Sequence[NoteScope]) -> bool:
        """Whether some scopes are known, without looking, to hold no notes."""
        if self._clock() >= self._fresh_until:
            return False
        kept = self._kept
        return all(kept.get(scope.record_name) == () for scope in scopes)

    async def in_scope(self, scope: NoteScope) -> Notes:
        """Return the notes of one scope, the oldest first, as they were two seconds ago at most."""
        await self._look()
        name = scope.record_name
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        stamp = self._stamp
        notes, _ = await self._read(name)
        return self._keep(name, notes) if self._stamp == stamp else notes  # else they may have changed meanwhile

    async def of_user(self, user_id: str | None) -> list[Note]:
        """List all notes of a user, the newest first."""
        found = [note async for name in self._names(user_id) for note in (await self._read(name))[0]]
        return sorted(found, key=lambda note: note.id.int, reverse=True)

    async def find(self, user_id: str | None, note_id: UUID) -> Note | None:
        """Find a note of a user; None where there is none, and for another user's."""
        return next((note for note in await self.of_user(user_id) if note.id == note_id), None)

    async def add(self, note: Note, *, supersedes: UUID | None = None) -> Note:
        """Store a new note, which may supersede another of its scope.

        Raises ``InvalidRequest`` where there are too many, or nothing to supersede.
        """
        for conversation_id in {source.conversation_id for source in note.sources}:
            await self.citations.add(conversation_id, note.scope)

        def added(notes: Notes) -> Notes:
            if len(notes) >= MAX_NOTES:
                raise InvalidRequest(
                    f"there are {MAX_NOTES} notes for this user and character, superseded ones too: delete some"
                )
            if supersedes is not None:
                _current(notes, supersedes)
            return (*_superseded(notes, supersedes, note.id), note)

        await self.change(note.scope, added)
        return note

    async def rewrite(self, note: Note, *, text: str | None, is_pinned: bool | None, written_by: Writer) -> Note:
        """Pin a note or not, or put a new one with another text in its place; return what holds then.

        Raises ``InvalidRequest`` for one that is superseded, or gone, and as ``add``.
        """
        pins = note.pinned if is_pinned is None else is_pinned
        if text is None or text == note.text:
            return await self.pin(note, is_pinned=pins)
        now = utc_now()
        new = Note(
            id=new_id(),
            user_id=note.user_id,
            character_id=note.character_id,
            text=text,
            pinned=pins,
            written_by=written_by,
            said_at=now,
            created_at=now,
            updated_at=now,
        )
        return await self.add(new, supersedes=note.id)

    async def pin(self, note: Note, *, is_pinned: bool) -> Note:
        """Pin a note, or not. Raises ``InvalidRequest`` for one that is superseded, or gone."""

        def pinned(notes: Notes) -> Notes:
            found = _current(notes, note.id)
            if found.pinned == is_pinned:
                return notes
            changed = found.model_copy(update={"pinned": is_pinned, "updated_at": utc_now()})
            return tuple([changed if one.id == note.id else one for one in notes])

        notes = await self.change(note.scope, pinned)
        return _current(notes, note.id)

    async def delete(self, note: Note) -> int:
        """Delete a note, and the older ones that it stands in place of; return how many."""
        before = after = 0

        def without(notes: Notes) -> Notes:
            nonlocal before, after
            gone = _with_older(notes, note.id)
            left = tuple([one for one in notes if one.id not in gone])
            before, after = len(notes), len(left)
            return left

        try:
            await self.change(note.scope, without)
        finally:  # it may be gone though that failed, and is then not found again
            await forget_explanations(self._storage, note.user_id, naming=str(note.id))
        return before - after

    async def change(self, scope: NoteScope, change: Callable[[Notes], Notes]) -> Notes:
        """Change the notes of one scope, all or none; ``change`` is called again where others change them meanwhile.

        Raises what it raises, ``StorageConflict`` and ``StorageUnavailable``.
        """
        name = scope.record_name
        for _ in range(ATTEMPTS):
            notes, version = await self._read(name)
            changed = change(notes)
            if changed == notes:
                return notes
            try:
                with self._unsure_where_it_fails():
                    await self._write(scope, changed, version)
                    self._keep(name, changed)
                    await self._tell()
            except StorageConflict:
                continue
            return changed
        raise StorageConflict("the notes are being changed by others; send again")

    async def resting_on(self, conversation_id: UUID) -> Sequence[NoteScope]:
        """List the scopes that have notes which rest on a conversation."""
        names = await self.citations.scopes_of(conversation_id)
        stored = [await self._storage.get_record(NOTES, name) for name in names]
        scopes = [_Scoped.model_validate_json(one) for one in stored if one is not None]
        return [NoteScope(one.user_id, one.character_id) for one in scopes]

    async def erase(self, user_id: str) -> int:
        """Delete all notes of a user, and return how many records that were."""
        names = [name async for name in self._names(user_id)]
        with self._unsure_where_it_fails():
            for name in names:
                await self._storage.delete_record(NOTES, name)
                self._kept.pop(name, None)
            await self._tell()  # also where core has deleted them: what is kept of them in memory is to go
        return len(names)

    @contextmanager
    def _unsure_where_it_fails(self) -> Generator[None]:
        """Read notes again, and tell others to, after a write that may have been done though it failed."""
        try:
            yield
        except StorageConflict:
            raise
        except BaseException:
            self._is_untold, self._fresh_until = True, 0.0
            raise

    async def _read(self, name: str) -> tuple[Notes, str]:
        record = await self._storage.read_record(NOTES, name)
        if record is None:
            return (), NO_RECORD
        return (await asyncio.to_thread(_Scoped.model_validate_json, record.value)).notes, record.version

    async def _write(self, scope: NoteScope, notes: Notes, version: str) -> None:
        if notes:
            scoped = _Scoped(user_id=scope.user_id, character_id=scope.character_id, notes=notes)
            await self._put(NOTES, scope.record_name, scoped, version)
        else:
            await self._storage.delete_record(NOTES, scope.record_name, if_version=version)

    async def _put(self, namespace: str, name: str, value: BaseModel, version: str) -> None:
        await self._storage.put_record(namespace, name, value.model_dump_json().encode(), if_version=version)

    async def _names(self, user_id: str | None) -> AsyncGenerator[str]:
        """List the names of a user's records."""
        prefix = user_key(user_id)
        after = prefix
        while names := await self._storage.list_records(NOTES, after=after, limit=_PAGE):
            for name in names:
                if not name.startswith(prefix):
                    return
                yield name
            after = names[-1]

    async def _look(self) -> None:
        """Forget what is kept where another process has changed notes."""
        if self._clock() < self._fresh_until:
            return
        if self._is_untold:
            self._kept.clear()
            await self._tell()
        self._fresh_until = self._clock() + FRESH_S
        stamp = await self._storage.get_record(*_CHANGED)
        if stamp != self._stamp:
            self._stamp = stamp
            self._kept.clear()

    async def _tell(self) -> None:
        """Publish that notes have changed to other processes, and read whether they have changed any."""
        stamp = new_id().bytes
        before, self._stamp = self._stamp, stamp
        for _ in range(ATTEMPTS):
            record = await self._storage.read_record(*_CHANGED)
            if record is not None and record.value != before:
                self._kept.clear()
            version = record.version if record else NO_RECORD
            try:
                await self._storage.put_record(*_CHANGED, stamp, durable=False, if_version=version)
            except StorageConflict:
                continue
            self._is_untold = False
            return

    def _keep(self, name: str, notes: Notes) -> Notes:
        self._kept[name] = notes
        self._kept.move_to_end(name)
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return notes


_stores: WeakKeyDictionary[Storage, NoteStore] = WeakKeyDictionary()


def notes_of(storage: Storage) -> NoteStore:
    """Return the notes in a storage, the same object to all who use them in this process."""
    return _stores.setdefault(storage, NoteStore(storage))


def _current(notes: Notes, note_id: UUID) -> Note:
    """Find a note that is to be superseded. Raises ``InvalidRequest``."""
    found = next((note for note in notes if note.id == note_id), None)
    if found is None:
        raise InvalidRequest(f"there is no note {note_id} any more", param="note_id")
    if found.superseded_by is not None:
        raise InvalidRequest(f"note {note_id} is superseded by {found.superseded_by}; change that one", param="note_id")
    return found


def _superseded(notes: Notes, old: UUID | None, new: UUID) -> Notes:
    return tuple([note.model_copy(update={"superseded_by": new}) if note.id == old else note for note in notes])


def _with_older(notes: Notes, note_id: UUID) -> set[UUID]:
    """Return a note with all that it supersedes, directly or by way of others."""
    found = {note_id}
    while more := {note.id for note in notes if note.superseded_by in found} - found:
        found |= more
    return found
