"""What is known of all conversations: in memory at once, in the index soon after."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol
from uuid import UUID

from idolchat_core import StorageStats, StorageUnavailable, id_text
from idolchat_storage_local.index.entry import Entry, EntryFilter, to_time
from idolchat_storage_local.index.sqlite_index import (
    Change,
    Index,
    IndexBroken,
    IndexBusy,
    make_index_anew,
    open_index,
)

__all__ = ["Watcher", "WriteBehindIndex"]

log = logging.getLogger(__name__)

_GATHER_S = 0.25
"""How long changes gather before the index is told of them together."""
_PAUSE_S = 1.0
"""How long to wait before updating an index again that was busy or full."""
_UPDATE_PATIENCE_S = 10.0
_CACHED = 4096
"""Entries at hand, of some 700 bytes each; others are read from the index again."""
_MUCH = 2048
"""Changes that are not updated, beyond which whoever makes many had better wait."""


class Watcher(Protocol):
    """Is told what happens to the index."""

    def on_broken(self) -> None:
        """Called when the index does not know what it should."""

    def on_made_anew(self) -> None:
        """Called when the index is there again, and empty."""


class WriteBehindIndex:
    """Remembers entries, answers lists, and updates the index on a thread of its own.

    That the index is slow, full or broken stops nobody from reading and writing: it is behind then, or made anew.
    ``require_folder`` raises ``StorageUnavailable`` unless the data folder is there, without which nothing is made.
    """

    def __init__(self, path: str, *, require_folder: Callable[[], None]) -> None:
        self._path = path
        self._require_folder = require_folder
        self._index = open_index(path)
        self._cache: OrderedDict[int, Entry] = OrderedDict()  # by the integer of the id, which is compared in C
        self._pending: dict[str, Change] = {}
        self._updating: dict[str, Change] = {}
        self._lock = threading.Lock()
        self._updated = threading.Condition(self._lock)
        self._begun = self._done = 0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closing = threading.Event()
        self._telling = threading.Lock()  # what is told last is how it is
        self._is_broken = False
        self._problem: str | None = None
        self._watcher: Watcher | None = None
        self._thread = threading.Thread(target=self._keep_up, name="idolchat-index", daemon=True)

    def start(self, watcher: Watcher) -> None:
        """Start the thread that updates the index."""
        self._watcher = watcher
        self._thread.start()

    def close(self) -> None:
        """Update the index with what is left, and close it."""
        self._closing.set()
        self._hurry.set()
        self._wake.set()
        self._thread.join()
        self._index.close()

    def known(self, conversation_id: UUID) -> Entry | None:
        """Return what is known of a conversation's file."""
        entry = self._cache.get(conversation_id.int)
        if entry is not None:
            # Another thread may drop it meanwhile.
            with suppress(KeyError):
                self._cache.move_to_end(conversation_id.int)
            return entry
        return self.read_again(conversation_id)

    def read_again(self, conversation_id: UUID) -> Entry | None:
        """Return what is known, by another process too."""
        key = id_text(conversation_id)
        change = self._not_updated_of(key)
        if change is not None:
            return change.entry
        try:
            entry = self._ask(lambda index: index.entry(key))
        except (IndexBroken, IndexBusy):
            return self._cache.get(conversation_id.int)
        if entry is not None:
            self._remember(conversation_id, entry)
        return entry

    def read_many(self, conversation_ids: Iterable[UUID]) -> dict[UUID, Entry]:
        """Return what is known of many as ``read_again`` does of each, and have it at hand."""
        wanted = {id_text(conversation_id): conversation_id for conversation_id in conversation_ids}
        fresh = self._not_updated()
        found = {wanted[key]: fresh[key].entry for key in wanted.keys() & fresh.keys()}
        with suppress(IndexBroken, IndexBusy):
            for entry in self._ask(lambda index: index.entries([key for key in wanted if key not in fresh])):
                found[wanted[entry.id]] = entry
                self._remember(wanted[entry.id], entry)
        return {conversation_id: entry for conversation_id, entry in found.items() if entry is not None}

    def note(
        self,
        conversation_id: UUID,
        entry: Entry,
        turn_ids: Sequence[str] = (),
        marks: Sequence[tuple[int, int]] = (),
        is_whole: bool = False,
    ) -> None:
        """Remember a file as it is now; see ``Inspection``."""
        self._remember(conversation_id, entry)
        self._add(entry.id, Change(entry, list(turn_ids), list(marks), is_whole))

    def forget(self, conversation_id: UUID) -> None:
        """Remember that a conversation is gone."""
        self._cache.pop(conversation_id.int, None)
        self._add(id_text(conversation_id), Change(None, [], [], is_whole=True))

    def newest(self, matching: EntryFilter, before: tuple[int, str] | None, limit: int) -> list[Entry]:
        """List conversations, newest first. Raises ``IndexBroken``, ``StorageUnavailable``."""
        fresh = self._not_updated()
        try:
            updated = self._ask(lambda index: index.newest(matching, before, limit + len(fresh)))
        except IndexBusy as error:
            raise StorageUnavailable(f"the list of conversations cannot be read now: {error}; try again") from error
        entries = [entry for entry in updated if entry.id not in fresh]
        entries += [
            change.entry
            for change in fresh.values()
            if change.entry is not None and matching.includes(change.entry) and _is_behind(change.entry, before)
        ]
        return sorted(entries, key=lambda entry: (entry.updated_at, entry.id), reverse=True)[:limit]

    def count(self, matching: EntryFilter) -> StorageStats:
        """Count conversations. Raises ``IndexBroken``, ``StorageUnavailable``."""
        self.wait_until_updated()
        try:
            counted = self._ask(lambda index: index.count(matching))
        except IndexBusy as error:
            raise StorageUnavailable(f"conversations cannot be counted now: {error}; try again") from error
        conversations, messages, users, characters, damaged, size_bytes, first_at, last_at = counted
        return StorageStats(
            conversations=conversations,
            messages=messages,
            users=users,
            characters=characters,
            damaged=damaged,
            size_bytes=size_bytes,
            first_at=None if first_at is None else to_time(first_at),
            last_at=None if last_at is None else to_time(last_at),
        )

    def wait_until_updated(self) -> None:
        """Wait until the index knows what was noted so far. Raises ``StorageUnavailable``."""
        with self._lock:
            if not self._pending and not self._updating:
                return
            wanted = self._begun + 1 if self._pending else self._begun
            self._hurry.set()
            if not self._updated.wait_for(lambda: self._done >= wanted, _UPDATE_PATIENCE_S):
                why = f": {self._problem}" if self._problem else ""
                raise StorageUnavailable(f"the index cannot be written now{why}; make it writable, or try again later")

    def keep_pace(self) -> None:
        """Wait while the index is far behind with what was noted, that it does not gather in memory."""
        if len(self._pending) > _MUCH:
            with suppress(StorageUnavailable):
                self.wait_until_updated()

    def in_folder(self, place: str) -> dict[str, Entry]:
        """Return what is known of the files in a folder, by place. Raises ``IndexBroken``, ``IndexBusy``."""
        fresh = self._not_updated()
        updated = self._ask(lambda index: index.in_folder(place))
        return {name: entry for name, entry in updated.items() if entry.id not in fresh}

    def turn(self, turn_id: str) -> str | None:
        """Find the conversation that a turn belongs to. Raises ``IndexBroken``, ``StorageUnavailable``."""
        fresh = self._not_updated()
        for key, change in fresh.items():
            if turn_id in change.turn_ids:
                return key
        try:
            found = self._ask(lambda index: index.turn(turn_id))
        except IndexBusy as error:
            raise StorageUnavailable(f"turns cannot be looked up now: {error}; try again") from error
        return None if found is None or (found in fresh and fresh[found].is_whole) else found

    def mark_after(self, conversation_id: UUID, position: int) -> tuple[int, int] | None:
        """Find a position not before this one, and where the text of the messages before it ends."""
        key = id_text(conversation_id)
        change = self._not_updated_of(key)
        marks = [mark for mark in change.marks if mark[0] >= position] if change is not None else []
        if change is None or not change.is_whole:
            with suppress(IndexBroken, IndexBusy):
                updated = self._ask(lambda index: index.mark_after(key, position))
                marks += [updated] if updated is not None else []
        if not marks:
            return None
        place, start = min(marks)
        return place, start - len(b",\n")

    @property
    def is_kept(self) -> bool:
        """Whether updates are on the disk, for others to read."""
        return not self._is_broken and self._index.is_kept

    def looked(self) -> dict[str, str]:
        """See ``Index.looked``. Raises ``IndexBroken``, ``IndexBusy``."""
        return self._ask(lambda index: index.looked())

    def note_looked(self, values: Mapping[str, str]) -> None:
        """See ``Index.note_looked``. Raises ``IndexBroken``, ``IndexBusy``."""
        self._ask(lambda index: index.note_looked(values))

    def stale(self, limit: int) -> list[tuple[str, int]]:
        """See ``Index.stale``. Raises ``IndexBroken``, ``IndexBusy``."""
        return self._ask(lambda index: index.stale(limit))

    def count_stale(self) -> int:
        """See ``Index.count_stale``. Raises ``IndexBroken``, ``IndexBusy``."""
        return self._ask(lambda index: index.count_stale())

    def mark_stale(self, conversation_ids: Iterable[str] | None) -> None:
        """See ``Index.mark_stale``. Raises ``IndexBroken``, ``IndexBusy``."""
        self._ask(lambda index: index.mark_stale(conversation_ids))

    def mark_fresh(self, looked_at: Iterable[tuple[str, int]]) -> None:
        """See ``Index.mark_fresh``. Raises ``IndexBroken``, ``IndexBusy``."""
        self._ask(lambda index: index.mark_fresh(looked_at))

    def check(self) -> None:
        """Read the whole index, and have it made anew if it is broken."""
        with suppress(IndexBroken, IndexBusy):
            self._ask(lambda index: index.check())

    def _ask[T](self, question: Callable[[Index], T]) -> T:
        index = self._index
        try:
            if not index.is_current:
                raise IndexBroken("its files are not those that were opened")
            return question(index)
        except IndexBroken:
            with self._telling:
                if index is self._index and not self._is_broken:
                    self._is_broken = True
                    self._tell(lambda watcher: watcher.on_broken())
                    self._wake.set()
            raise

    def _tell(self, what: Callable[[Watcher], None]) -> None:
        if self._watcher is not None:
            what(self._watcher)

    def _remember(self, conversation_id: UUID, entry: Entry) -> None:
        self._cache[conversation_id.int] = entry
        if len(self._cache) > _CACHED:
            with suppress(KeyError):
                self._cache.popitem(last=False)

    def _not_updated(self) -> Mapping[str, Change]:
        with self._lock:
            return _joined(self._updating, self._pending)

    def _not_updated_of(self, key: str) -> Change | None:
        with self._lock:
            earlier, later = self._updating.get(key), self._pending.get(key)
            return _merged(earlier, later) if earlier is not None and later is not None else later or earlier

    def _add(self, key: str, change: Change) -> None:
        with self._lock:
            before = self._pending.get(key)
            self._pending[key] = change if before is None else _merged(before, change, in_place=True)
        if not self._wake.is_set():
            self._wake.set()

    def _keep_up(self) -> None:
        is_last = False
        while not is_last:
            self._wake.wait()
            self._hurry.wait(_GATHER_S)
            self._hurry.clear()
            is_last = self._closing.is_set()
            self._wake.clear()
            try:
                if self._is_broken or not self._index.is_current:
                    self._make_anew()
                self._update()
                self._problem = None
            except (IndexBroken, IndexBusy, StorageUnavailable) as error:
                self._problem = str(error)
                log.warning("the index cannot be written and is behind", extra={"reason": str(error)})
                if not self._closing.wait(_PAUSE_S):
                    self._wake.set()

    def _update(self) -> None:
        with self._lock:
            self._updating, self._pending = self._pending, {}
            self._begun += 1
            begun = self._begun
        try:
            self._ask(lambda index: index.apply(self._updating))
        except (IndexBroken, IndexBusy):
            with self._lock:
                self._pending = _joined(self._updating, self._pending)
            raise
        else:
            with self._lock:
                self._done = begun
                self._updated.notify_all()
        finally:
            with self._lock:
                self._updating = {}

    def _make_anew(self) -> None:
        self._require_folder()
        log.warning("the index is made anew from the conversations")
        with self._telling:
            self._is_broken = True
            self._tell(lambda watcher: watcher.on_broken())
        index = make_index_anew(self._path, self._index)
        with self._telling:
            self._index = index
            self._is_broken = False
            self._tell(lambda watcher: watcher.on_made_anew())


def _merged(before: Change, after: Change, *, in_place: bool = False) -> Change:
    """Make one change of two that follow each other; ``in_place`` lets the first be used up."""
    if after.is_whole:
        return after
    if in_place:
        before.turn_ids.extend(after.turn_ids)
        before.marks.extend(after.marks)
        return before._replace(entry=after.entry)
    return Change(after.entry, before.turn_ids + after.turn_ids, before.marks + after.marks, before.is_whole)


def _joined(earlier: Mapping[str, Change], later: Mapping[str, Change]) -> dict[str, Change]:
    both = {key: _merged(earlier[key], later[key]) for key in earlier.keys() & later.keys()}
    return {**earlier, **later, **both}


def _is_behind(entry: Entry, before: tuple[int, str] | None) -> bool:
    return before is None or (entry.updated_at, entry.id) < before
