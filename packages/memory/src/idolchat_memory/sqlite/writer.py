"""Writing one conversation: where its messages lie, and what is kept with them.

The places of a conversation follow from its messages alone. Whatever changes it keeps the places before the
first difference, takes away those behind, and appends.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from idolchat_core import SESSION_GAP_S, MemoryMessage, TextAnalysis
from idolchat_memory.sqlite.database import PLACES_PER_SESSION, message_of, microseconds, stored_id, traits_of
from idolchat_memory.terms import ANALYSIS

__all__ = ["ConversationWriter", "weights_of"]

_MAX_COUNT, _MAX_LENGTH = 15, 65_535
_GAP = SESSION_GAP_S * 1_000_000
_SESSIONS = "SELECT number, message_count, length, first_at, last_at FROM sessions"
_COLUMNS = "message_id, position, traits, speaker, said_at, text"


class _Session(NamedTuple):
    number: int
    message_count: int
    length: int
    first_at: int
    last_at: int

    def with_message(self, said_at: int, length: int) -> _Session:
        return _Session(
            self.number,
            self.message_count + 1,
            self.length + length,
            min(self.first_at, said_at),
            max(self.last_at, said_at),
        )


class ConversationWriter:
    """Writes one conversation of one scope, within a transaction that somebody else began."""

    def __init__(
        self, database: sqlite3.Connection, scope: int, conversation: int, analysis: TextAnalysis = ANALYSIS
    ) -> None:
        self._database = database
        self._scope = scope
        self._conversation = conversation
        self._analysis = analysis

    def messages(self) -> list[tuple[int, MemoryMessage]]:
        """List all messages with their places."""
        return [found for session in self._sessions() for found in self._messages_in(session)]

    def newest(self) -> MemoryMessage | None:
        """Read the last message."""
        session = self._last_session()
        if session is None:
            return None
        place = session.number * PLACES_PER_SESSION + session.message_count - 1
        row = self._database.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE scope = ? AND place = ?",  # noqa: S608 - our names
            (self._scope, place),
        ).fetchone()
        return message_of(row)

    def append(self, messages: Sequence[MemoryMessage]) -> None:
        """Add messages at the end."""
        session, before = self._last_session(), self.newest() if messages else None
        postings: list[tuple[int, str, int, int]] = []
        for message in messages:
            said_at = microseconds(message.said_at)
            if session is None or said_at - session.last_at > _GAP or session.message_count == PLACES_PER_SESSION:
                session, before = self._begin_session(said_at), None
            place = session.number * PLACES_PER_SESSION + session.message_count
            self._database.execute(
                "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (self._scope, place, *_columns(message, before)),
            )
            length, weights = self._weights_of(message.text)
            postings += [(self._scope, term, place, weight) for term, weight in weights.items()]
            session, before = session.with_message(said_at, length), message
            self._store(session)
            self._count(messages=1, sessions=0, length=length)
        # In the order of their key: many at once lie closer, and are written faster.
        self._database.executemany("INSERT INTO postings VALUES (?, ?, ?, ?)", sorted(postings))

    def lay_out(self, messages: Sequence[MemoryMessage]) -> int:
        """Make the conversation consist of these messages, and return how many were removed."""
        there = self.messages()
        same = 0
        while same < min(len(there), len(messages)) and there[same][1] == messages[same]:
            same += 1
        self._remove(there[same:])
        self.append(messages[same:])
        return len(there) - same

    def go_on(self, after: str, messages: Sequence[MemoryMessage]) -> int | None:
        """Put messages in place of what follows one, and return how many were removed; None where it is unknown."""
        behind: list[tuple[int, MemoryMessage]] = []
        for session in self._sessions(newest_first=True):
            there = self._messages_in(session)
            at = next((at for at, (_, message) in enumerate(there) if message.message_id == after), None)
            behind[:0] = there if at is None else there[at + 1 :]
            if at is not None:
                self._remove(behind)
                self.append(messages)
                return len(behind)
        return None

    def _weights_of(self, text: str) -> tuple[int, dict[str, int]]:
        return weights_of(self._analysis, text)

    def _sessions(self, *, newest_first: bool = False) -> Iterator[_Session]:
        order = "DESC" if newest_first else "ASC"
        rows = self._database.execute(
            f"{_SESSIONS} WHERE scope = ? AND conversation = ? ORDER BY number {order}",
            (self._scope, self._conversation),
        )
        return (_Session(*row) for row in rows)

    def _session(self, number: int) -> _Session:
        return _Session(*self._database.execute(f"{_SESSIONS} WHERE number = ?", (number,)).fetchone())

    def _last_session(self) -> _Session | None:
        return next(self._sessions(newest_first=True), None)

    def _messages_in(self, session: _Session) -> list[tuple[int, MemoryMessage]]:
        first = session.number * PLACES_PER_SESSION
        rows = self._database.execute(
            f"SELECT place, {_COLUMNS} FROM messages"  # noqa: S608 - our names
            " WHERE scope = ? AND place >= ? AND place < ? ORDER BY place",
            (self._scope, first, first + PLACES_PER_SESSION),
        )
        return [(place, message_of(row)) for place, *row in rows]

    def _begin_session(self, said_at: int) -> _Session:
        number = self._database.execute(
            "INSERT INTO sessions (scope, conversation, message_count, length, first_at, last_at, encoded_count)"
            " VALUES (?, ?, 0, 0, ?, ?, 0)",
            (self._scope, self._conversation, said_at, said_at),
        ).lastrowid
        assert number is not None  # noqa: S101 - an insert that succeeds has one
        self._count(messages=0, sessions=1, length=0)
        return _Session(number, 0, 0, said_at, said_at)

    def _remove(self, found: Sequence[tuple[int, MemoryMessage]]) -> None:
        """Remove messages from the end of the branch."""
        removed: Counter[int] = Counter()
        for place, message in found:
            key = (self._scope, place)
            for table in ("messages", "vectors"):
                self._database.execute(f"DELETE FROM {table} WHERE scope = ? AND place = ?", key)  # noqa: S608
            length, weights = self._weights_of(message.text)
            self._database.executemany(
                "DELETE FROM postings WHERE scope = ? AND term = ? AND place = ?",
                [(self._scope, term, place) for term in weights],
            )
            self._count(messages=-1, sessions=0, length=-length)
            removed[place // PLACES_PER_SESSION] += 1
        for number in removed:
            self._shorten(self._session(number))

    def _shorten(self, session: _Session) -> None:
        rest = self._messages_in(session)
        if not rest:
            self._database.execute("DELETE FROM sessions WHERE number = ?", (session.number,))
            self._count(messages=0, sessions=-1, length=0)
            return
        times = [microseconds(message.said_at) for _, message in rest]
        length = sum(self._weights_of(message.text)[0] for _, message in rest)
        self._store(_Session(session.number, len(rest), length, min(times), max(times)))

    def _store(self, session: _Session) -> None:
        count = session.message_count
        self._database.execute(
            "UPDATE sessions SET message_count = ?, length = ?, first_at = ?, last_at = ?,"
            " encoded_count = min(encoded_count, ?) WHERE number = ?",
            (count, session.length, session.first_at, session.last_at, count, session.number),
        )

    def _count(self, *, messages: int, sessions: int, length: int) -> None:
        self._database.execute(
            "UPDATE scopes SET message_count = message_count + ?, session_count = session_count + ?,"
            " length = length + ? WHERE number = ?",
            (messages, sessions, length, self._scope),
        )


def weights_of(analysis: TextAnalysis, text: str) -> tuple[int, dict[str, int]]:
    """Count the terms of a text, and make the weight of each as it is stored."""
    counts = Counter(analysis.terms_of(text))
    length = min(counts.total(), _MAX_LENGTH)
    return length, {term: length << 4 | min(count, _MAX_COUNT) for term, count in counts.items()}


def _columns(message: MemoryMessage, before: MemoryMessage | None) -> tuple[bytes | str, int, int, str, int, str]:
    return (
        stored_id(message.message_id),
        message.position,
        traits_of(message, before),
        message.speaker,
        microseconds(message.said_at),
        message.text,
    )
