"""The full-text index beside the documents: which messages hold which words. Derived, and thrown away when broken."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from importlib import resources
from typing import Any, NamedTuple

from idolchat_core.search import Query
from idolchat_storage_local.index.entry import EntryFilter, members
from idolchat_storage_local.index.sqlite_file import (
    Identity,
    IndexBroken,
    connect,
    explained,
    make_whole,
    own_number,
    transaction,
)

__all__ = ["TIE_BITS", "FulltextBroken", "FulltextIndex", "FulltextUpdate", "Indexed"]

_SCHEMA_VERSION = 3
"""Those of version 1 were written without ``secure_delete``: deleted words may stand in pages that nothing uses."""
_SCHEMA = resources.files("idolchat_storage_local.index").joinpath("search.sql").read_text(encoding="utf-8")
TIE_BITS = 10
_OWNER = "\ue000"
"""Begins the words that stand for owners; no text has such words, for this is no letter."""
_FIRST, _LAST = -(1 << 63), (1 << 63) - 1
_PATIENCE_S = 30.0
_DELETE_WORDS = "INSERT INTO texts (texts, rowid, words) VALUES ('delete', ?, ?)"
"""How words leave a table without contents: one has to say which (SQLite FTS5 documentation, section 6.3)."""
_HASH_SIZE = 16 * 1024 * 1024
"""Bytes of words gathered in memory before they are written: fewer, larger writes."""


class FulltextBroken(IndexBroken):
    """The full-text index cannot be read: it is to be made anew."""


class Indexed(NamedTuple):
    """As much of a conversation as is indexed."""

    message_count: int
    body_end: int
    fingerprint: int
    user_id: str | None
    character_id: str | None
    group_ids: str | None


class FulltextUpdate(NamedTuple):
    """An update of the index for one conversation, of which it knows ``before``.

    ``messages`` are those after that, each as its time in microseconds and its words. ``now`` is None when the
    conversation is gone. ``anew`` says that what was known is not right any more.
    """

    before: Indexed | None
    now: Indexed | None
    messages: Sequence[tuple[int, str]]
    anew: bool


class FulltextIndex:
    """One index file, which other processes may use too; ``new`` makes it, see ``make_whole``.

    Raises ``FulltextBroken`` where there is none, or none of this version.
    """

    def __init__(self, path: str, *, new: bool = False) -> None:
        self._lock = threading.Lock()
        with _explained():
            if new:
                make_whole(path, _fill)
            self._database = connect(path, version=_SCHEMA_VERSION, patience_s=_PATIENCE_S)
            self._database.execute("PRAGMA secure_delete = ON")
        self._identity = Identity(path)

    @property
    def is_current(self) -> bool:
        """Whether its files are still the ones in use: neither removed, nor replaced, nor overwritten."""
        return self._identity.is_there

    @property
    def is_replaced(self) -> bool:
        """Whether another process has made the index anew."""
        return self._identity.is_replaced

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._database.close()
            self._identity.close()

    def known(self, conversation_ids: Sequence[str]) -> dict[str, Indexed]:
        """Return how much is indexed of these conversations."""
        marks = ", ".join("?" * len(conversation_ids))
        columns = ", ".join(Indexed._fields)
        query = f"SELECT id, {columns} FROM conversations WHERE id IN ({marks})"  # noqa: S608 - our names
        with _explained(), self._lock:
            return {row[0]: Indexed(*row[1:]) for row in self._database.execute(query, conversation_ids)}

    def update(self, updates: Mapping[str, FulltextUpdate]) -> set[str]:
        """Index conversations, all or none; return those left as they are, for another process has indexed them."""
        with _explained(), self._lock, transaction(self._database) as database:
            rows: list[tuple[int, int, int, str]] = []
            used: set[int] = set()
            skipped: set[str] = set()
            for conversation_id, what in updates.items():
                number, known = _find(database, conversation_id)
                if known != what.before:
                    skipped.add(conversation_id)
                    continue
                if number is not None and what.anew:
                    database.execute("UPDATE messages SET conversation = 0 WHERE conversation = ?", (number,))
                if what.now is None:
                    database.execute("DELETE FROM conversations WHERE number = ?", (number,))
                    continue
                number = _note(database, conversation_id, number, what.now)
                owners = _owner_words(what.now)
                start = what.now.message_count - len(what.messages)
                for position, (time, words) in enumerate(what.messages, start):
                    place = _free(database, (time << TIE_BITS) + ((number * 31 + position) & 1023), used)
                    rows.append((place, number, position, f"{owners} {words}"))
            # In order, for the index writes what it has gathered whenever a place is less than the one before.
            rows.sort()
            database.executemany("INSERT INTO messages VALUES (?, ?, ?)", [row[:3] for row in rows])
            database.executemany("INSERT INTO texts (rowid, words) VALUES (?, ?)", [(row[0], row[3]) for row in rows])
        return skipped

    def remove(self, conversation_id: str, gone: Sequence[tuple[int, int, str]]) -> Indexed | None:
        """Remove messages' words, so that no byte of them stays, and return what was known of their conversation.

        ``gone`` are their positions, times in microseconds, and words.

        Those of an earlier reading of it go, too. Until ``set_known``, nothing is known of the conversation: another
        process that has just read it does not index it as it was.
        """
        with _explained(), self._lock:
            with transaction(self._database) as database:
                number, known = _find(database, conversation_id)
                owners = _owner_words(known) if known else ""
                places = [
                    (place, f"{owners} {words}")
                    for position, time, words in gone
                    for place in _places(database, number, position, time)
                ]
                database.executemany("DELETE FROM messages WHERE place = ?", [(place,) for place, _ in places])
                database.executemany(_DELETE_WORDS, places)
                database.execute("UPDATE conversations SET message_count = 0 WHERE number = ?", (number,))
                if places:
                    # Words are marked as deleted, and gone when what holds them is merged with what marks them.
                    database.execute("INSERT INTO texts (texts) VALUES ('optimize')")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return known

    def set_known(self, conversation_id: str, now: Indexed) -> None:
        """Record how much of a conversation is indexed, after ``remove``, unless another has indexed it since."""
        changes = "message_count = ?, body_end = ?, fingerprint = ?"
        sql = f"UPDATE conversations SET {changes} WHERE id = ? AND message_count = 0"  # noqa: S608 - our names
        with _explained(), self._lock:
            self._database.execute(sql, (*now[:3], conversation_id))

    def find(
        self, query: Query, matching: EntryFilter, *, before: int | None, limit: int
    ) -> list[tuple[int, str, int]]:
        """Find messages, newest first: place, conversation, position."""
        since = _FIRST if matching.since is None else matching.since << TIE_BITS
        until = _LAST if matching.until is None else (matching.until << TIE_BITS) - 1
        last = until if before is None else min(until, before - 1)
        # CROSS JOIN keeps the order of the tables: places come out of the index in order already.
        sql = (
            "SELECT texts.rowid, conversations.id, messages.position FROM texts"
            " CROSS JOIN messages ON messages.place = texts.rowid"
            " CROSS JOIN conversations ON conversations.number = messages.conversation"
            " WHERE texts MATCH ? AND texts.rowid BETWEEN ? AND ? ORDER BY texts.rowid DESC LIMIT ?"
        )
        with _explained(), self._lock:
            return self._database.execute(sql, (_match(query, matching), since, last, limit)).fetchall()

    def place_of(self, conversation_id: str, position: int) -> int | None:
        """Return the place of a message."""
        sql = (
            "SELECT place FROM messages WHERE position = ?"
            " AND conversation = (SELECT number FROM conversations WHERE id = ?)"
        )
        with _explained(), self._lock:
            row = self._database.execute(sql, (position, conversation_id)).fetchone()
        return row[0] if row else None

    def count_gone(self) -> tuple[int, int]:
        """Count the messages that are gone and whose words are still here, and all."""
        with _explained(), self._lock:
            [[gone]] = self._database.execute("SELECT count(*) FROM messages WHERE conversation = 0").fetchall()
            [[everything]] = self._database.execute("SELECT count(*) FROM messages").fetchall()
        return gone, everything

    def ids(self) -> list[str]:
        """List the conversations of which something is indexed."""
        with _explained(), self._lock:
            return [row[0] for row in self._database.execute("SELECT id FROM conversations")]


def _fill(database: sqlite3.Connection) -> None:
    database.executescript(_SCHEMA)
    database.execute("INSERT INTO texts (texts, rank) VALUES ('hashsize', ?)", (_HASH_SIZE,))
    database.execute(f"PRAGMA application_id = {own_number()}")
    database.execute("PRAGMA wal_checkpoint")


@contextmanager
def _explained() -> Generator[None]:
    try:
        with explained():
            yield
    except IndexBroken as error:
        raise FulltextBroken(str(error)) from error


def _find(database: sqlite3.Connection, conversation_id: str) -> tuple[int | None, Indexed | None]:
    columns = ", ".join(Indexed._fields)
    row = database.execute(
        f"SELECT number, {columns} FROM conversations WHERE id = ?",  # noqa: S608 - our names
        (conversation_id,),
    ).fetchone()
    return (row[0], Indexed(*row[1:])) if row else (None, None)


def _places(database: sqlite3.Connection, number: int | None, position: int, time: int) -> list[int]:
    sql = "SELECT place FROM messages WHERE position = ? AND conversation IN (0, ?) AND place >= ? AND place < ?"
    last = (time + 2) << TIE_BITS  # one whose place was taken stands a little later
    return [row[0] for row in database.execute(sql, (position, number, time << TIE_BITS, last))]


def _note(database: sqlite3.Connection, conversation_id: str, number: int | None, now: Indexed) -> int:
    row: tuple[Any, ...] = database.execute(
        "INSERT OR REPLACE INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
        (number, conversation_id, *now),
    ).fetchone()
    return int(row[0])


def _free(database: sqlite3.Connection, place: int, used: set[int]) -> int:
    while place in used or database.execute("SELECT 1 FROM messages WHERE place = ?", (place,)).fetchone():
        place += 1
    used.add(place)
    return place


def _owner_words(indexed: Indexed) -> str:
    owners = [("user_id", indexed.user_id), ("character_id", indexed.character_id)]
    owners += [("character_id", member) for member in members(indexed.group_ids)]
    return " ".join(_owner_word(column, owner) for column, owner in owners if owner is not None)


def _owner_word(column: str, owner: str) -> str:
    return f"{_OWNER}{column[0]}{blake2b(owner.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


def _match(query: Query, matching: EntryFilter) -> str:
    parts = [f'"{_owner_word(column, owner)}"' for column, owner in matching.owners.items()]
    parts += [f'"{" ".join(term.tokens)}"{"*" if term.is_beginning else ""}' for term in query.terms]
    return " AND ".join(parts)
