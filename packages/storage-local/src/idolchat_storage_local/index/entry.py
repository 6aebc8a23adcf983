"""What is known of a conversation's file without reading it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from idolchat_core import Conversation, ConversationFilter, ConversationSummary, id_text

__all__ = [
    "MARK_EVERY",
    "Entry",
    "EntryFilter",
    "Form",
    "fingerprint",
    "group_ids_of",
    "in_microseconds",
    "members",
    "to_time",
]

type Form = Literal["lines", "other", "damaged"]
"""``lines``: ours, one message a line. ``other``: valid, to be rewritten first. ``damaged``: to be left alone."""

MARK_EVERY = 256
"""The index keeps where every so many-th message begins, so that old pages are found without counting to them."""

FINGERPRINT_SIZE = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def fingerprint(before: bytes) -> int:
    """Return the CRC-32 of the end of a file's messages, which tells whether it is still the one that was known."""
    return zlib.crc32(before[-FINGERPRINT_SIZE:])


def in_microseconds(time: datetime) -> int:
    """Write a time as microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def to_time(microseconds: int) -> datetime:
    """Read what ``in_microseconds`` has written."""
    return _EPOCH + microseconds * _MICROSECOND


class Entry(NamedTuple):
    """A conversation's file as it was when last read or written, synced; a row of the index.

    ``body_end`` is where the closing begins, and ``fingerprint`` is of the bytes before it. ``length`` and
    ``mtime_ns`` are the file's. Times are in microseconds since 1970. ``problem`` says why it is damaged, ``group_ids``
    who takes part beside the first character, as ``group_ids_of`` writes it.
    """

    id: str
    place: str
    form: Form
    length: int
    body_end: int
    fingerprint: int
    message_count: int
    mtime_ns: int
    user_id: str | None
    character_id: str | None
    created_at: int
    updated_at: int
    problem: str | None = None
    group_ids: str | None = None

    @classmethod
    def of(cls, conversation: Conversation, place: str, *, form: Form, length: int, mtime_ns: int) -> Entry:
        """Describe a file that holds this conversation; ``body_end`` and ``fingerprint`` are for ``lines`` to add."""
        return cls(
            id=id_text(conversation.id),
            place=place,
            form=form,
            length=length,
            body_end=0,
            fingerprint=0,
            message_count=len(conversation.messages),
            mtime_ns=mtime_ns,
            user_id=_text(conversation.user_id),
            character_id=_text(conversation.character_id),
            created_at=in_microseconds(conversation.created_at),
            updated_at=in_microseconds(conversation.updated_at),
            group_ids=group_ids_of(conversation.character_id, conversation.character_ids or ()),
        )

    @classmethod
    def of_unread(cls, conversation_id: UUID, place: str, *, problem: str, mtime_ns: int) -> Entry:
        """Describe a file that cannot be read now; its length is that of no file, so that it is read when it can be."""
        changed_at = to_time(mtime_ns // 1000)
        conversation = Conversation(id=conversation_id, created_at=changed_at, updated_at=changed_at)
        return cls.of(conversation, place, form="damaged", length=-1, mtime_ns=0)._replace(problem=problem)

    @property
    def is_unread(self) -> bool:
        """Return whether nothing is known but that there is a file."""
        return self.length < 0

    def summary(self) -> ConversationSummary:
        """Return its line of a list."""
        return ConversationSummary(
            id=UUID(self.id),
            user_id=self.user_id,
            character_id=self.character_id,
            character_ids=(self.character_id or "", *members(self.group_ids)) if self.group_ids else None,
            created_at=to_time(self.created_at),
            updated_at=to_time(self.updated_at),
            message_count=self.message_count,
            status="damaged" if self.form == "damaged" else "ok",
        )


class EntryFilter(NamedTuple):
    """A ``ConversationFilter`` in the index's terms: owners by column, times in microseconds since 1970.

    A character is one that a conversation is with, be it the first or another.
    """

    owners: Mapping[str, str] = {}
    since: int | None = None
    until: int | None = None

    @classmethod
    def of(cls, matching: ConversationFilter) -> EntryFilter:
        """Translate a filter."""
        owners = {"user_id": matching.user_id, "character_id": matching.character_id}
        return cls(
            {name: str(owner) for name, owner in owners.items() if owner is not None},
            None if matching.since is None else in_microseconds(matching.since),
            None if matching.until is None else in_microseconds(matching.until),
        )

    def includes(self, entry: Entry) -> bool:
        """Whether an entry matches."""
        return (
            all(getattr(entry, name) == value or self._is_member(entry, name) for name, value in self.owners.items())
            and (self.since is None or entry.updated_at >= self.since)
            and (self.until is None or entry.updated_at < self.until)
        )

    def _is_member(self, entry: Entry, name: str) -> bool:
        return name == "character_id" and self.owners[name] in members(entry.group_ids)

    def conditions(self) -> list[tuple[list[str], list[str | int]]]:
        """Return the filter in SQL: conditions on the table of conversations, and their values.

        No conversation fulfils two of them: the second is for those that are with a character beside the first.
        """
        bounds = ((">=", self.since), ("<", self.until))
        times: list[tuple[str, str | int]] = [(f"updated_at {sign} ?", at) for sign, at in bounds if at is not None]
        own: list[tuple[str, str | int]] = [(f"{column} = ?", owner) for column, owner in self.owners.items()]
        alternatives = [own]
        if (character_id := self.owners.get("character_id")) is not None:
            is_among = ("group_ids IS NOT NULL AND instr(group_ids, ?)", f"\n{character_id}\n")
            alternatives.append([is_among if sql == "character_id = ?" else (sql, owner) for sql, owner in own])
        return [([sql for sql, _ in (*one, *times)], [value for _, value in (*one, *times)]) for one in alternatives]


def group_ids_of(first: UUID | str | None, character_ids: Iterable[UUID | str]) -> str | None:
    """Write who takes part beside the first character, between line ends; None where nobody does."""
    others = dict.fromkeys(str(one) for one in character_ids if str(one) != str(first))
    return f"\n{'\n'.join(others)}\n" if others else None


def members(group_ids: str | None) -> Sequence[str]:
    """Read what ``group_ids_of`` has written."""
    return group_ids[1:-1].split("\n") if group_ids else ()


def _text(value: UUID | str | None) -> str | None:
    return None if value is None else str(value)
