"""The SQLite index beside the documents: derived, and thrown away rather than mended."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import resources
from typing import Any, NamedTuple

from idolchat_storage_local.index.entry import Entry, EntryFilter, members
from idolchat_storage_local.index.sqlite_file import (
    Identity,
    IndexBroken,
    IndexBusy,
    IndexMissing,
    alone,
    connect,
    explained,
    make_whole,
    own_number,
    remove_index,
    transaction,
)

__all__ = ["Change", "Index", "IndexBroken", "IndexBusy", "make_index_anew", "open_index"]

log = logging.getLogger(__name__)

_MEMORY = ":memory:"
_SCHEMA_VERSION = 6
_PATIENCE_S = 5.0
_SCHEMA = resources.files("idolchat_storage_local.index").joinpath("schema.sql").read_text(encoding="utf-8")
_COLUMNS = ", ".join(Entry._fields)
_SET = ", ".join(f"{name} = excluded.{name}" for name in Entry._fields if name != "id")
_UPSERT = (
    f"INSERT INTO conversations ({_COLUMNS}) VALUES ({', '.join('?' * len(Entry._fields))})"  # noqa: S608 - our names
    f" ON CONFLICT (id) DO UPDATE SET {_SET}"
)
_UPSERT_NEWER = f"{_UPSERT} WHERE excluded.mtime_ns >= conversations.mtime_ns"
_SELECT = f"SELECT {_COLUMNS} FROM conversations"  # noqa: S608 - our names

_MARK_STALE = "INSERT INTO stale VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET changes = changes + 1"

_COUNTED = (
    "count(*)",
    "coalesce(sum(message_count), 0)",
    "count(DISTINCT user_id)",
    "count(DISTINCT character_id)",
    "coalesce(sum(form = 'damaged'), 0)",
    "coalesce(sum(length), 0)",
    "min(created_at)",
    "max(updated_at)",
)


class Change(NamedTuple):
    """An update of the index for one conversation; no ``entry`` when it is gone.

    ``is_whole`` says that the turns and marks given are all there are.
    """

    entry: Entry | None
    turn_ids: list[str]
    marks: list[tuple[int, int]]
    is_whole: bool


class Index:
    """One index file, or one in memory. Any thread may read and write.

    Raises ``IndexBroken`` where there is none, or none of this version, ``IndexBusy``, ``OSError``.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._identity: Identity | None = None
        with explained():
            self._writer = _connect(path)
            self._reader = _connect(path) if path != _MEMORY else self._writer
            if path != _MEMORY:
                self._identity = Identity(path)

    @property
    def is_current(self) -> bool:
        """Whether its files are still the ones in use: neither removed, nor replaced, nor overwritten."""
        return self._identity is None or self._identity.is_there

    @property
    def is_replaced(self) -> bool:
        """Whether another process has made the index anew."""
        return self._identity is not None and self._identity.is_replaced

    @property
    def is_kept(self) -> bool:
        """Return whether this is a file, and still the one of that name."""
        return self._reader is not self._writer and self.is_current

    def close(self) -> None:
        """Close it when what is read and written is done: one that is closed while it is used crashes."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()
            if self._identity is not None:
                self._identity.close()

    def check(self) -> None:
        """Read all of it. Raises ``IndexBroken``."""
        with explained(), self._writing, self._at_a_time():
            [[answer]] = self._writer.execute("PRAGMA quick_check(1)").fetchall()
        if answer != "ok":
            raise IndexBroken(answer)

    def apply(self, changes: Mapping[str, Change]) -> None:
        """Apply changes, all or none."""
        with explained(), self._writing, self._at_a_time(), transaction(self._writer) as database:
            for conversation_id, change in changes.items():
                if change.is_whole or change.entry is None:
                    _forget(database, conversation_id, is_gone=change.entry is None)
            for query, is_whole in ((_UPSERT, True), (_UPSERT_NEWER, False)):
                database.executemany(
                    query, [c.entry for c in changes.values() if c.entry is not None and c.is_whole == is_whole]
                )
            database.executemany(
                "INSERT OR REPLACE INTO turns VALUES (?, ?)",
                [(turn_id, key) for key, change in changes.items() for turn_id in change.turn_ids],
            )
            database.executemany(
                "INSERT OR REPLACE INTO marks VALUES (?, ?, ?)",
                [(key, *mark) for key, change in changes.items() for mark in change.marks],
            )
            database.executemany(_MARK_STALE, [(key,) for key in changes])

    def looked(self) -> dict[str, str]:
        """Return how the folders were when this was last as they are."""
        return dict(self._rows("SELECT name, value FROM looked", ()))

    def note_looked(self, values: Mapping[str, str]) -> None:
        """Record the state of the folders."""
        with explained(), self._writing, self._at_a_time(), transaction(self._writer) as database:
            database.execute("DELETE FROM looked")
            database.executemany("INSERT INTO looked VALUES (?, ?)", values.items())

    def stale(self, limit: int) -> list[tuple[str, int]]:
        """List conversations that changed since search looked at them, each with how often."""
        return [(row[0], row[1]) for row in self._rows("SELECT id, changes FROM stale LIMIT ?", (limit,))]

    def count_stale(self) -> int:
        """Count conversations that changed since search looked at them."""
        [[count]] = self._rows("SELECT count(*) FROM stale", ())
        return int(count)

    def mark_stale(self, conversation_ids: Iterable[str] | None) -> None:
        """Mark these conversations (None: all) for search to look at once more."""
        with explained(), self._writing, self._at_a_time(), transaction(self._writer) as database:
            if conversation_ids is None:
                # A number that nobody has read: what another has looked at before does not count.
                database.execute("INSERT OR REPLACE INTO stale SELECT id, abs(random() >> 16) FROM conversations")
            else:
                database.executemany(_MARK_STALE, [(key,) for key in conversation_ids])

    def mark_fresh(self, looked_at: Iterable[tuple[str, int]]) -> None:
        """Record that search has read conversations; those that changed meanwhile stay stale."""
        with explained(), self._writing, self._at_a_time(), transaction(self._writer) as database:
            database.executemany("DELETE FROM stale WHERE id = ? AND changes = ?", looked_at)

    def entry(self, conversation_id: str) -> Entry | None:
        """Find what is known of a file."""
        rows = self._rows(f"{_SELECT} WHERE id = ?", (conversation_id,))
        return Entry(*rows[0]) if rows else None

    def entries(self, conversation_ids: Sequence[str]) -> list[Entry]:
        """Find what is known of many files."""
        marks = ", ".join("?" * len(conversation_ids))
        rows = self._rows(f"{_SELECT} WHERE id IN ({marks})", tuple(conversation_ids))
        return [Entry(*row) for row in rows]

    def newest(self, matching: EntryFilter, before: tuple[int, str] | None, limit: int) -> list[Entry]:
        """List those that match and come after ``before``, newest first."""
        found: list[Entry] = []
        for conditions, values in matching.conditions():
            if before is not None:
                conditions.append("(updated_at, id) < (?, ?)")
                values.extend(before)
            where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
            rows = self._rows(f"{_SELECT}{where} ORDER BY updated_at DESC, id DESC LIMIT ?", (*values, limit))
            found += [Entry(*row) for row in rows]
        return sorted(found, key=lambda entry: (entry.updated_at, entry.id), reverse=True)[:limit]

    def count(self, matching: EntryFilter) -> tuple[Any, ...]:
        """Count those that match: see ``_COUNTED`` for what."""
        where, values = _any_of(matching.conditions())
        counted = ", ".join(_COUNTED)
        [row] = self._rows(f"SELECT {counted} FROM conversations{where}", values)  # noqa: S608 - our names
        return (*row[:3], self._count_characters(where, values) or row[3], *row[4:])

    def _count_characters(self, where: str, values: tuple[str | int, ...]) -> int | None:
        """Count the characters where there are groups among the conversations; None where there are none."""
        groups = self._rows(f"SELECT DISTINCT group_ids FROM conversations{where}", values)  # noqa: S608 - our names
        others = {member for (group_ids,) in groups for member in members(group_ids)}
        if not others:
            return None
        firsts = self._rows(f"SELECT DISTINCT character_id FROM conversations{where}", values)  # noqa: S608 - our names
        return len(others | {first for (first,) in firsts if first is not None})

    def in_folder(self, place: str) -> dict[str, Entry]:
        """Find what is known of the files in a folder, by their places; not of those in folders below it."""
        # The index by place alone tells which they are, without a look at every conversation below.
        here = "SELECT id FROM conversations WHERE place >= ? AND place < ? AND instr(substr(place, ?), '/') = 0"
        rows = self._rows(f"{_SELECT} WHERE id IN ({here})", (f"{place}/", f"{place}0", len(place) + 2))
        return {entry.place: entry for entry in (Entry(*row) for row in rows)}

    def turn(self, turn_id: str) -> str | None:
        """Find the conversation that a turn belongs to."""
        rows = self._rows("SELECT conversation_id FROM turns WHERE turn_id = ?", (turn_id,))
        return str(rows[0][0]) if rows else None

    def mark_after(self, conversation_id: str, position: int) -> tuple[int, int] | None:
        """Find the first kept place of a message at or after a position."""
        query = (
            "SELECT position, start FROM marks WHERE conversation_id = ? AND position >= ? ORDER BY position LIMIT 1"
        )
        rows = self._rows(query, (conversation_id, position))
        return (rows[0][0], rows[0][1]) if rows else None

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with explained(), self._reading:
            return self._reader.execute(query, values).fetchall()

    def _at_a_time(self) -> AbstractContextManager[object]:
        return self._reading if self._reader is self._writer else nullcontext()


def open_index(path: str) -> Index:
    """Open an index, which is made where there is none, and anew where it is of no use; in memory where it cannot be.

    Of processes that do so at once, one makes it, and the others open that one.
    """
    # One that is removed while it is opened seems to be broken, or busy: to be looked at when nobody removes it.
    with suppress(IndexBroken, IndexBusy, OSError):
        return Index(path)
    try:
        with alone(path):
            try:
                return Index(path)  # another process has just made it
            except IndexMissing:
                return _made(path)
            except IndexBroken as error:
                log.warning("the index is made from the conversations", extra={"reason": str(error)})
                return _made(path)
    except (IndexBroken, IndexBusy, OSError) as error:
        return _in_memory(error)


def make_index_anew(path: str, old: Index) -> Index:
    """Close an index that is of no use, and open one in its place: another process's, or one that is made."""
    try:
        with alone(path):
            is_replaced = old.is_replaced
            # First, for SQLite removes what it finds beside the name of a database that it closes.
            old.close()
            return _of_another_process(path) if is_replaced else _made(path)
    except (IndexBroken, IndexBusy, OSError) as error:
        old.close()
        return _in_memory(error)


def _made(path: str) -> Index:
    remove_index(path)
    with explained():
        make_whole(path, _fill)
    return Index(path)


def _of_another_process(path: str) -> Index:
    try:
        return Index(path)
    except IndexBroken:
        # Another version of this program made it; of two that run at once, neither may throw it away.
        return Index(_MEMORY)


def _in_memory(reason: Exception) -> Index:
    log.warning("the index is kept in memory", extra={"reason": str(reason)})
    return Index(_MEMORY)


def _any_of(alternatives: Sequence[tuple[list[str], list[str | int]]]) -> tuple[str, tuple[str | int, ...]]:
    """Join alternatives to one condition."""
    if len(alternatives) == 1 and not alternatives[0][0]:
        return "", ()
    each = [f"SELECT id FROM conversations WHERE {' AND '.join(one)}" for one, _ in alternatives]  # noqa: S608 - our names
    return f" WHERE id IN ({' UNION ALL '.join(each)})", tuple(value for _, values in alternatives for value in values)


def _connect(path: str) -> sqlite3.Connection:
    if path != _MEMORY:
        return connect(path, version=_SCHEMA_VERSION, patience_s=_PATIENCE_S)
    database = sqlite3.connect(_MEMORY, isolation_level=None, check_same_thread=False)
    _fill(database)
    return database


def _fill(database: sqlite3.Connection) -> None:
    database.executescript(_SCHEMA)
    database.execute(f"PRAGMA application_id = {own_number()}")
    database.execute("PRAGMA wal_checkpoint")


def _forget(database: sqlite3.Connection, conversation_id: str, *, is_gone: bool) -> None:
    known = database.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
    if known:  # else there is nothing to look for in all the turns
        database.execute("DELETE FROM turns WHERE conversation_id = ?", (conversation_id,))
        database.execute("DELETE FROM marks WHERE conversation_id = ?", (conversation_id,))
    if is_gone:
        database.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
