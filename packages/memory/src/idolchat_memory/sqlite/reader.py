"""Reading one scope."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from idolchat_core import MemoryRow, MessageTraits, Posting, ScopeReader, ScopeStatistics
from idolchat_memory.sqlite.database import (
    FOLLOWS_QUESTION,
    IS_OF_CHARACTER,
    IS_QUESTION,
    PLACES_PER_SESSION,
    ROLES,
    message_of,
    microseconds,
)

__all__ = ["SqliteScopeReader"]

_POSTING = f"place, place / {PLACES_PER_SESSION}, weight & 15, weight >> 4"
_POSTINGS = f"SELECT {_POSTING} FROM postings WHERE scope = ? AND term = ? ORDER BY place DESC LIMIT ?"  # noqa: S608
_POSTINGS_OF_MANY = (
    f"SELECT key, {_POSTING} FROM json_each(?)"  # noqa: S608 - our names
    " CROSS JOIN postings ON postings.scope = ? AND postings.term = value LIMIT ?"
)
_ROWS = (
    "SELECT place, message_id, position, traits, speaker, said_at, text FROM json_each(?)"
    " CROSS JOIN messages ON messages.scope = ? AND messages.place = value"
)
_CONVERSATIONS_OF = (
    "SELECT sessions.number, conversations.id FROM json_each(?)"
    " CROSS JOIN sessions ON sessions.number = value AND sessions.scope = ?"
    " CROSS JOIN conversations ON conversations.number = sessions.conversation"
)
_TRAITS = (
    "SELECT place, traits, said_at / 1e6 FROM json_each(?)"
    " CROSS JOIN messages ON messages.scope = ? AND messages.place = value"
)
_SESSION_LENGTHS = (
    "SELECT number, length FROM json_each(?) CROSS JOIN sessions ON sessions.number = value AND sessions.scope = ?"
)
_BETWEEN = (
    "SELECT place FROM sessions CROSS JOIN messages ON messages.scope = sessions.scope"  # noqa: S608 - our names
    f" AND place >= sessions.number * {PLACES_PER_SESSION} AND place < (sessions.number + 1) * {PLACES_PER_SESSION}"
    " AND said_at >= ? AND said_at < ?"
    " WHERE sessions.scope = ? AND last_at >= ? AND first_at < ? ORDER BY last_at DESC, place DESC LIMIT ?"
)
_VECTORS = (
    "SELECT place, tokens FROM json_each(?) CROSS JOIN vectors ON vectors.scope = ? AND vectors.place = value"
    " WHERE EXISTS (SELECT 1 FROM encodings WHERE name = ?)"
)


class SqliteScopeReader(ScopeReader):
    """Reads within a transaction that somebody else began; ``number`` is None for a scope that there is not."""

    def __init__(self, database: sqlite3.Connection, number: int | None) -> None:
        self._database = database
        self._number = number

    def statistics(self) -> ScopeStatistics:
        row = self._database.execute(
            "SELECT message_count, session_count, length FROM scopes WHERE number = ?", (self._number,)
        ).fetchone()
        return ScopeStatistics(*row) if row else ScopeStatistics(0, 0, 0)

    def postings(self, term: str, *, limit: int) -> Sequence[Posting]:
        return self._database.execute(_POSTINGS, (self._number, term, limit)).fetchall()

    def postings_of_many(self, terms: Sequence[str], *, limit: int) -> Mapping[str, Sequence[Posting]]:
        found: list[list[Posting]] = [[] for _ in terms]
        rows = self._database.execute(_POSTINGS_OF_MANY, (json.dumps(terms), self._number, limit))
        for number, place, session, count, length in rows:
            found[number].append((place, session, count, length))
        return {term: postings for term, postings in zip(terms, found, strict=True) if postings}

    def session_lengths(self, sessions: Collection[int]) -> Mapping[int, int]:
        return dict(self._database.execute(_SESSION_LENGTHS, (json.dumps(list(sessions)), self._number)))

    def places_between(self, start: datetime, end: datetime, *, limit: int) -> Sequence[int]:
        first, last = microseconds(start), microseconds(end)
        rows = self._database.execute(_BETWEEN, (first, last, self._number, first, last, limit))
        return [place for (place,) in rows]

    def traits(self, places: Iterable[int]) -> Mapping[int, MessageTraits]:
        rows = self._database.execute(_TRAITS, (json.dumps(list(places)), self._number))
        return {
            place: (ROLES[traits & IS_OF_CHARACTER], said_at, traits & IS_QUESTION > 0, traits & FOLLOWS_QUESTION > 0)
            for place, traits, said_at in rows
        }

    def rows(self, places: Iterable[int]) -> Mapping[int, MemoryRow]:
        rows = self._database.execute(_ROWS, (json.dumps(list(places)), self._number)).fetchall()
        sessions = {place // PLACES_PER_SESSION for place, *_ in rows}
        found = self._database.execute(_CONVERSATIONS_OF, (json.dumps(list(sessions)), self._number))
        conversations = {session: UUID(bytes=stored) for session, stored in found}
        return {
            place: MemoryRow(
                place, place // PLACES_PER_SESSION, conversations[place // PLACES_PER_SESSION], message_of(message)
            )
            for place, *message in rows
        }

    def vectors(self, places: Iterable[int], encoding: str) -> Mapping[int, bytes]:
        return dict(self._database.execute(_VECTORS, (json.dumps(list(places)), self._number, encoding)))
