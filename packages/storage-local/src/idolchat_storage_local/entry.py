"""What is known of a conversation's file without reading it."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from idolchat_core.models import Conversation, ConversationSummary

__all__ = ["MARK_EVERY", "Entry", "Form", "fingerprint", "in_microseconds", "to_time"]

type Form = Literal["lines", "other", "damaged"]
"""``lines``: ours, one message a line. ``other``: valid, to be rewritten first. ``damaged``: to be left alone."""

MARK_EVERY = 256
"""The index keeps where every so many-th message begins, so that old pages are found without counting to them."""

FINGERPRINT_SIZE = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def fingerprint(before: bytes) -> int:
    """Tell by the end of its messages whether a file is still the one that was known."""
    return zlib.crc32(before[-FINGERPRINT_SIZE:])


def in_microseconds(time: datetime) -> int:
    """Write a time as microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def to_time(microseconds: int) -> datetime:
    """Turn ``in_microseconds`` round."""
    return _EPOCH + microseconds * _MICROSECOND


class Entry(NamedTuple):
    """A conversation's file as it was when last read or written, synced; a row of the index.

    ``body_end`` is where the closing begins, and ``fingerprint`` is of the bytes before it. ``length`` and
    ``mtime_ns`` are the file's. Times are in microseconds since 1970. ``problem`` says why it is damaged.
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

    @classmethod
    def of(cls, conversation: Conversation, place: str, *, form: Form, length: int, mtime_ns: int) -> Entry:
        """Describe a file that holds this conversation; ``body_end`` and ``fingerprint`` are for ``lines`` to add."""
        return cls(
            id=str(conversation.id),
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
        )

    def summary(self) -> ConversationSummary:
        """Give the line that stands for it in a list."""
        return ConversationSummary(
            id=UUID(self.id),
            user_id=self.user_id,
            character_id=self.character_id,
            created_at=to_time(self.created_at),
            updated_at=to_time(self.updated_at),
            message_count=self.message_count,
            status="damaged" if self.form == "damaged" else "ok",
        )


def _text(value: UUID | str | None) -> str | None:
    return None if value is None else str(value)
