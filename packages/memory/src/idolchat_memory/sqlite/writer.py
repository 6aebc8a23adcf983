"""Writing one conversation: where its messages lie, and what is kept with them.

The places of a conversation follow from its messages alone. Whatever changes it keeps the places before the
first difference, takes away those behind, and appends.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from idolchat_core import (
    PLACES_PER_SESSION,
    SESSION_GAP_S,
    MemoryMessage,
    Posting,
    TextAnalysis,
    posting_of,
    traits_of,
)
from idolchat_memory.sqlite import postings, sessions
from idolchat_memory.sqlite.database import id_of, message_of, microseconds, stored_id
from idolchat_memory.sqlite.sessions import Session
from idolchat_memory.terms import ANALYSIS

__all__ = ["ConversationWriter", "counts_of"]

_MAX_LENGTH = 65_535
_GAP = SESSION_GAP_S * 1_000_000
_IN_SESSION = (
    "SELECT place, message_id, position, speaker, text FROM messages"
    " WHERE scope = ? AND place >= ? AND place < ? ORDER BY place"
)


class _Removed(NamedTuple):
    session: Session
    place: int
    text: str


class ConversationWriter:
    """Writes one conversation of one scope, within a transaction that somebody else began."""

    def __init__(
        self, database: sqlite3.Connection, scope: int, conversation: int, analysis: TextAnalysis = ANALYSIS
    ) -> None:
        self._database = database
        self._scope = scope
        self._conversation = conversation
        self._analysis = analysis

    def last_id(self) -> str | None:
        """Read the id of the last message."""
        session = self._last_session()
        if session is None:
            return None
        [message_id] = self._database.execute(
            "SELECT message_id FROM messages WHERE scope = ? AND place = ?", (self._scope, session.next_place - 1)
        ).fetchone()
        return id_of(message_id)

    def append(self, messages: Sequence[MemoryMessage]) -> None:
        """Add messages at the end."""
        if not messages:
            return
        session, begun, total = self._last_session(), 0, 0
        rows: list[tuple[int, int, bytes | str, int, str, str]] = []
        found: defaultdict[str, list[Posting]] = defaultdict(list)
        for message in messages:
            said_at = microseconds(message.said_at)
            if session is None or session.is_full or said_at - session.last_at > _GAP:
                if session is not None:
                    sessions.store(self._database, session)
                session = sessions.begin(self._database, self._scope, self._conversation, said_at)
                begun += 1
            place = session.next_place
            rows.append((self._scope, place, *_columns(message)))
            length, counts = counts_of(self._analysis, message.text)
            for term, count in counts.items():
                found[term].append(posting_of(place, length, count))
            session.add(traits_of(message, follows_question=session.ends_in_question), length)
            total += length
        assert session is not None  # noqa: S101 - there is one message at least
        sessions.store(self._database, session)
        self._database.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)", rows)
        postings.add(self._database, self._scope, found)
        self._count(messages=len(messages), sessions=begun, length=total)

    def lay_out(self, messages: Sequence[MemoryMessage]) -> int:
        """Make the conversation consist of these messages, and return how many were removed."""
        there = [found for session in self._sessions() for found in self._messages_in(session)]
        same = 0
        while same < min(len(there), len(messages)) and there[same][1] == messages[same]:
            same += 1
        self._remove([removed for removed, _ in there[same:]])
        self.append(messages[same:])
        return len(there) - same

    def go_on(self, after: str, messages: Sequence[MemoryMessage]) -> int | None:
        """Put messages in place of what follows one, and return how many were removed; None where it is unknown."""
        if self.last_id() == after:  # mostly
            self.append(messages)
            return 0
        behind: list[_Removed] = []
        for session in self._sessions(newest_first=True):
            there = self._messages_in(session)
            at = next((at for at, (_, message) in enumerate(there) if message.message_id == after), None)
            behind[:0] = [removed for removed, _ in (there if at is None else there[at + 1 :])]
            if at is not None:
                self._remove(behind)
                self.append(messages)
                return len(behind)
        return None

    def _sessions(self, *, newest_first: bool = False) -> list[Session]:
        return list(
            sessions.of_conversation(self._database, self._scope, self._conversation, newest_first=newest_first)
        )

    def _last_session(self) -> Session | None:
        found = sessions.of_conversation(self._database, self._scope, self._conversation, newest_first=True)
        return next(found, None)

    def _messages_in(self, session: Session) -> list[tuple[_Removed, MemoryMessage]]:
        first = session.number * PLACES_PER_SESSION
        rows = self._database.execute(_IN_SESSION, (self._scope, first, first + PLACES_PER_SESSION))
        return [
            (_Removed(session, place, row[3]), message_of(row, session.messages[place - first])) for place, *row in rows
        ]

    def _remove(self, found: Sequence[_Removed]) -> None:
        """Remove messages from the end of the branch."""
        places: defaultdict[str, set[int]] = defaultdict(set)
        counts: Counter[int] = Counter()
        lengths: Counter[int] = Counter()
        for session, place, text in found:
            length, terms = counts_of(self._analysis, text)
            for term in terms:
                places[term].add(place)
            counts[session.number] += 1
            lengths[session.number] += length
        keys = [(self._scope, place) for _, place, _ in found]
        for table in ("messages", "vectors"):
            self._database.executemany(f"DELETE FROM {table} WHERE scope = ? AND place = ?", keys)  # noqa: S608
        postings.remove(self._database, self._scope, places)
        ended = 0
        for session in {session.number: session for session, _, _ in found}.values():
            if counts[session.number] == len(session.messages):
                self._database.execute("DELETE FROM sessions WHERE number = ?", (session.number,))
                ended += 1
            else:
                session.cut(counts[session.number], lengths[session.number])
                sessions.store(self._database, session)
        self._count(messages=-len(found), sessions=-ended, length=-lengths.total())

    def _count(self, *, messages: int, sessions: int, length: int) -> None:
        self._database.execute(
            "UPDATE scopes SET message_count = message_count + ?, session_count = session_count + ?,"
            " length = length + ? WHERE number = ?",
            (messages, sessions, length, self._scope),
        )


def counts_of(analysis: TextAnalysis, text: str) -> tuple[int, Counter[str]]:
    """Count the terms of a text: all, as far as is kept, and each."""
    counts = Counter(analysis.terms_of(text))
    return min(counts.total(), _MAX_LENGTH), counts


def _columns(message: MemoryMessage) -> tuple[bytes | str, int, str, str]:
    return stored_id(message.message_id), message.position, message.speaker, message.text
