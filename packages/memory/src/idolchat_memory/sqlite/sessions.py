"""Sessions in the file: runs of messages without a long pause, each one row with what ranking needs of its messages."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from idolchat_core import IS_QUESTION, PLACES_PER_SESSION, TRAIT_BITS, MessageTraits

__all__ = ["COLUMNS", "Session"]

COLUMNS = "number, length, first_at, last_at, messages"
_OF = f"SELECT {COLUMNS} FROM sessions WHERE scope = ? AND conversation = ? ORDER BY number"  # noqa: S608 - our names
_NEW = (
    "INSERT INTO sessions (scope, conversation, message_count, length, first_at, last_at, encoded_count, messages)"
    " VALUES (?, ?, 0, 0, ?, ?, 0, x'')"
)
_STORE = (
    "UPDATE sessions SET message_count = ?, length = ?, first_at = ?, last_at = ?,"
    " encoded_count = min(encoded_count, ?), messages = ? WHERE number = ?"
)


@dataclass(slots=True)
class Session:
    """A session while it is written: how many terms it has, when it was, and the traits of its messages."""

    number: int
    length: int
    first_at: int
    last_at: int
    messages: array[MessageTraits] = field(default_factory=lambda: array("q"))

    @classmethod
    def of(cls, row: tuple[int, int, int, int, bytes]) -> Self:
        """Read the columns ``COLUMNS``."""
        return cls(*row[:4], array("q", row[4]))

    @property
    def next_place(self) -> int:
        """The place of a message that is added."""
        return self.number * PLACES_PER_SESSION + len(self.messages)

    @property
    def is_full(self) -> bool:
        """Whether no message can be added."""
        return len(self.messages) == PLACES_PER_SESSION

    @property
    def ends_in_question(self) -> bool:
        """Whether the last message asks something."""
        return bool(self.messages) and bool(self.messages[-1] & IS_QUESTION)

    def add(self, traits: MessageTraits, length: int) -> None:
        """Add a message that has so many terms."""
        self.messages.append(traits)
        self.length += length
        time = traits >> TRAIT_BITS
        self.first_at, self.last_at = min(self.first_at, time), max(self.last_at, time)

    def cut(self, count: int, length: int) -> None:
        """Take the last messages away, which had so many terms; one at least stays."""
        del self.messages[-count:]
        self.length -= length
        self.first_at, self.last_at = min(self.messages) >> TRAIT_BITS, max(self.messages) >> TRAIT_BITS


def begin(database: sqlite3.Connection, scope: int, conversation: int, time: int) -> Session:
    """Begin a session with a message of this time, which is still to be added."""
    number = database.execute(_NEW, (scope, conversation, time, time)).lastrowid
    assert number is not None  # noqa: S101 - an insert that succeeds has one
    return Session(number, 0, time, time)


def of_conversation(
    database: sqlite3.Connection, scope: int, conversation: int, *, newest_first: bool = False
) -> Iterator[Session]:
    """Read the sessions of a conversation."""
    rows = database.execute(_OF + (" DESC" if newest_first else ""), (scope, conversation))
    return map(Session.of, rows)


def store(database: sqlite3.Connection, session: Session) -> None:
    """Write what has changed of a session."""
    count = len(session.messages)
    facts = (count, session.length, session.first_at, session.last_at)
    database.execute(_STORE, (*facts, count, session.messages.tobytes(), session.number))
