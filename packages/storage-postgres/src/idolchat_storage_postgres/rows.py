"""How a conversation lies in the tables: its fields are columns, its messages rows with the words they are found by.

A document is put together again byte for byte as core writes it; only its head stands behind ``updated_at``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from pydantic_core import from_json

from idolchat_core import Conversation, ConversationDamaged, Message, StoredId, document, id_text
from idolchat_core.search import text_of, tokens_of

__all__ = [
    "ANY_WORD",
    "LONG_BYTES",
    "MAX_WORD",
    "ConversationRow",
    "MessageRow",
    "conversation_of",
    "document_of",
    "id_of",
    "is_long",
    "message_rows",
    "plain_uuid",
    "read_conversation",
    "rest_of",
    "row_of",
    "stored_id",
    "words_of",
]

LONG_BYTES = 256 * 1024
"""To read or write a longer text takes so many milliseconds that others must not wait for it."""
MAX_WORD = 500
"""Characters that a word is found by; PostgreSQL takes 2,046 bytes."""
_MAX_WORDS_BYTES = 900_000
"""Of one message; PostgreSQL takes a megabyte."""
ANY_WORD = "*"
"""The word of a message that has too many: every search looks at its text."""
_ESCAPED = "\\x"
_OPENING = ("id", "created_at", "user_id", "character_id")


class ConversationRow(NamedTuple):
    """A row of ``conversations`` without its count and version."""

    id: UUID
    user_id: str | None
    character_id: str | None
    group_ids: Sequence[str] | None
    created_at: datetime
    updated_at: datetime
    head: str | None
    rest: str | None

    @property
    def groups(self) -> str | None:
        """The group as JSON, for an array in each row of an array cannot be given."""
        return json.dumps(self.group_ids) if self.group_ids is not None else None


class MessageRow(NamedTuple):
    """A row of ``messages`` without its place; ``words`` is a ``tsvector`` as text."""

    id: str
    turn_id: UUID | None
    at: datetime
    line: str
    words: str | None


def stored_id(value: StoredId) -> str:
    """Write an id as text that PostgreSQL takes: with NUL in it, or what looks so, in hexadecimal digits."""
    if isinstance(value, UUID):
        return id_text(value)
    text = value
    if "\0" in text or text.startswith(_ESCAPED) or not text.isprintable():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if "\0" in text or text.startswith(_ESCAPED):
            return _ESCAPED + text.encode().hex()
    return text


def plain_uuid(value: UUID) -> UUID:
    """Return an id that the driver gave as what others know: they do not write a subclass as JSON."""
    return UUID(int=value.int)


def id_of(stored: str) -> str:
    """Read what ``stored_id`` wrote."""
    return bytes.fromhex(stored[len(_ESCAPED) :]).decode() if stored.startswith(_ESCAPED) else stored


def words_of(message: Message) -> str | None:
    """Return the words that a message is found by, as a ``tsvector`` in text."""
    words = set(tokens_of(text_of(message)))
    if not words:
        return None
    text = " ".join(words)
    if len(text) > MAX_WORD:
        text = " ".join({word[:MAX_WORD] for word in words})
        if len(text.encode()) > _MAX_WORDS_BYTES:
            return ANY_WORD
    return text


async def message_rows(messages: Sequence[Message]) -> Sequence[MessageRow]:
    """Write messages as rows. Raises ``InvalidRequest`` for one that cannot be written (see ``document.line``)."""
    lines = [document.line(message) for message in messages]
    if sum(map(len, lines)) < LONG_BYTES:
        return _rows(messages, lines)
    return await asyncio.to_thread(_rows, messages, lines)


def _rows(messages: Sequence[Message], lines: Iterable[bytes]) -> Sequence[MessageRow]:
    return [
        MessageRow(stored_id(message.id), message.turn_id, message.timestamp, line.decode(), words_of(message))
        for message, line in zip(messages, lines, strict=True)
    ]


def row_of(conversation: Conversation) -> ConversationRow:
    """Write a conversation without its messages as a row. Raises ``InvalidRequest`` as ``document.closing_of`` does."""
    fields = conversation.model_dump(exclude_unset=True, exclude={*_OPENING, "messages", "head"})
    ids = conversation.character_ids
    return ConversationRow(
        id=conversation.id,
        user_id=_stored(conversation.user_id),
        character_id=_stored(conversation.character_id),
        group_ids=None if ids is None else [stored_id(one) for one in ids],
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        head=_stored(conversation.head),
        rest=rest_of(fields),
    )


def rest_of(fields: Mapping[str, Any]) -> str | None:
    """Write the fields of a closing, ``updated_at`` among them, as the JSON object of what has no column."""
    kept = {name: value for name, value in fields.items() if name != "head"}
    shortest = document.closing_of({"updated_at": kept["updated_at"]})
    rest = document.closing_of(kept)[len(shortest) :]
    return "{" + rest.decode() if rest else None


def conversation_of(row: asyncpg.Record, lines: str | None, *, expected: int) -> Conversation:
    """Read a row of ``conversations`` with the lines of some messages, ``expected`` many.

    ``status`` is ``damaged`` where some cannot be read or are missing. Raises ``ConversationDamaged`` where none can.
    """
    fields = _fields(row)
    conversation_id: UUID = fields["id"]
    empty = document.from_parts({**fields, "messages": []}, conversation_id)
    text = (lines or "").encode()
    try:
        messages = tuple(document.parse_lines(text))
    except ValueError:
        return document.salvage(_joined(row, text), conversation_id)
    if len(messages) != expected:
        if not messages:
            raise ConversationDamaged(f"conversation {conversation_id} has lost its messages")
        return empty.model_copy(update={"messages": messages, "status": "damaged"})
    return empty.model_copy(update={"messages": messages})


async def read_conversation(row: asyncpg.Record, *, expected: int) -> Conversation:
    """Read a row with its ``lines`` as ``conversation_of`` does, a long one beside the event loop."""
    if is_long(row):
        return await asyncio.to_thread(conversation_of, row, row["lines"], expected=expected)
    return conversation_of(row, row["lines"], expected=expected)


def is_long(row: asyncpg.Record) -> bool:
    """Whether the ``lines`` of a row are ``LONG_BYTES`` or longer."""
    return row["lines"] is not None and len(row["lines"]) > LONG_BYTES


def document_of(row: asyncpg.Record, lines: str | None) -> bytes:
    """Put a stored document together, whatever it is."""
    return _joined(row, (lines or "").encode())


def _joined(row: asyncpg.Record, lines: bytes) -> bytes:
    fields = _fields(row)
    opening = document.opening(Conversation.model_construct(**{name: fields[name] for name in _OPENING}))
    closing = document.closing_of({name: fields[name] for name in ("updated_at", "head") if name in fields})
    rest = row["rest"]
    if rest is not None:
        closing = closing[:-1] + b"," + rest[1:].encode()
    return b"".join((opening, b"\n" if lines else b"", lines, closing))


def _fields(row: asyncpg.Record) -> dict[str, Any]:
    rest = row["rest"]
    fields: dict[str, Any] = {
        "id": plain_uuid(row["id"]),
        "created_at": row["created_at"],
        "user_id": _read(row["user_id"]),
        "character_id": _read(row["character_id"]),
        "updated_at": row["updated_at"],
    }
    if row["head"] is not None:
        fields["head"] = id_of(row["head"])
    return fields | from_json(rest) if rest is not None else fields


def _stored(value: StoredId | None) -> str | None:
    return None if value is None else stored_id(value)


def _read(stored: str | None) -> str | None:
    return None if stored is None else id_of(stored)
