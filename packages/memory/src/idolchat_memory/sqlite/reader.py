"""Reading one scope."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from idolchat_core import (
    PLACES_PER_SESSION,
    TRAIT_BITS,
    MemoryRow,
    MessageTraits,
    Posting,
    ScopeReader,
    ScopeStatistics,
)
from idolchat_memory.sqlite import postings
from idolchat_memory.sqlite.database import ScopeRow, message_of, microseconds

__all__ = ["SqliteScopeReader"]

_SESSIONS = (
    "SELECT number, length, conversation, messages FROM json_each(?)"
    " CROSS JOIN sessions ON number = value AND scope = ?"
)
_CONVERSATIONS = (
    "SELECT number, conversations.id, revision FROM json_each(?) CROSS JOIN conversations ON number = value"
)
_BETWEEN = (
    "SELECT number, messages FROM sessions WHERE scope = ? AND last_at >= ? AND first_at < ?"
    " ORDER BY last_at DESC, number DESC"
)
_ROWS = (
    "SELECT place, message_id, position, speaker, text FROM json_each(?)"
    " CROSS JOIN messages ON scope = ? AND place = value"
)
_VECTORS = (
    "SELECT place, tokens FROM json_each(?) CROSS JOIN vectors ON vectors.scope = ? AND vectors.place = value"
    " WHERE EXISTS (SELECT 1 FROM encodings WHERE name = ?)"
)


class _Session(NamedTuple):
    length: int
    conversation: int
    messages: Sequence[MessageTraits]


class SqliteScopeReader(ScopeReader):
    """Reads within a transaction that somebody else began; ``scope`` is None where there is none."""

    def __init__(self, database: sqlite3.Connection, scope: ScopeRow | None) -> None:
        self._database = database
        self._number = scope.number if scope else None
        self._statistics = ScopeStatistics(*scope[1:]) if scope else ScopeStatistics(0, 0, 0)
        self._sessions: dict[int, _Session] = {}

    def statistics(self) -> ScopeStatistics:
        return self._statistics

    def postings(self, terms: Sequence[str], *, limit: int) -> Mapping[str, Sequence[Posting]]:
        return postings.newest(self._database, self._number, terms, limit)

    def postings_of_many(self, terms: Sequence[str], *, limit: int) -> Mapping[str, Sequence[Posting]]:
        return postings.of_many(self._database, self._number, terms, limit)

    def session_lengths(self, sessions: Collection[int]) -> Mapping[int, int]:
        self._read_sessions(sessions)
        return {number: self._sessions[number].length for number in sessions if number in self._sessions}

    def places_between(self, start: datetime, end: datetime, *, limit: int) -> Sequence[int]:
        first, last = microseconds(start), microseconds(end)
        found: list[int] = []
        for number, messages in self._database.execute(_BETWEEN, (self._number, first, last)):
            place = number * PLACES_PER_SESSION
            times = [message >> TRAIT_BITS for message in array("q", messages)]
            found += [place + at for at in reversed(range(len(times))) if first <= times[at] < last]
            if len(found) >= limit:
                break
        return found[:limit]

    def traits(self, places: Iterable[int]) -> Mapping[int, MessageTraits]:
        return dict(self._messages(list(places)))

    def rows(self, places: Iterable[int]) -> Mapping[int, MemoryRow]:
        known = dict(self._messages(list(places)))
        numbers = {self._sessions[place // PLACES_PER_SESSION].conversation for place in known}
        stored = self._database.execute(_CONVERSATIONS, (json.dumps(list(numbers)),))
        conversations = {number: (UUID(bytes=stored_id), revision) for number, stored_id, revision in stored}
        found: dict[int, MemoryRow] = {}
        for place, *row in self._database.execute(_ROWS, (json.dumps(list(known)), self._number)):
            number = place // PLACES_PER_SESSION
            conversation = conversations[self._sessions[number].conversation]
            found[place] = MemoryRow(place, number, *conversation, message_of(row, known[place]))
        return found

    def vectors(self, places: Iterable[int], encoding: str) -> Mapping[int, bytes]:
        return dict(self._database.execute(_VECTORS, (json.dumps(list(places)), self._number, encoding)))

    def _messages(self, places: Sequence[int]) -> list[tuple[int, MessageTraits]]:
        """Return the places where there is a message, each with its traits."""
        self._read_sessions({place // PLACES_PER_SESSION for place in places})
        sessions, found = self._sessions, []
        for place in places:
            session = sessions.get(place // PLACES_PER_SESSION)
            if session is not None and place % PLACES_PER_SESSION < len(session.messages):
                found.append((place, session.messages[place % PLACES_PER_SESSION]))
        return found

    def _read_sessions(self, numbers: Collection[int]) -> None:
        """Read those sessions that are not read yet: a question asks for their lengths, traits and conversations."""
        missing = [number for number in numbers if number not in self._sessions]
        if missing:
            rows = self._database.execute(_SESSIONS, (json.dumps(missing), self._number))
            for number, length, conversation, messages in rows:
                self._sessions[number] = _Session(length, conversation, array("q", messages))
