"""How what memory holds stands in the tables. Texts are bytes, which hold any character, NUL too."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from idolchat_core import (
    IS_OF_CHARACTER,
    IS_QUESTION,
    TRAIT_BITS,
    MemoryMessage,
    MemoryScope,
    Speaker,
    TextAnalysis,
    posting_of,
    traits_of,
)

__all__ = [
    "MESSAGE",
    "TABLES",
    "MessageKey",
    "message_columns",
    "message_of",
    "scope_key",
    "scope_of",
    "text_of",
    "to_bytes",
    "weights_of",
]

TABLES = ("memory_conversations", "memory_sessions", "memory_messages", "memory_postings", "memory_vectors")
"""All with a column ``scope``."""
_ROLES: tuple[Speaker, Speaker] = ("user", "assistant")
MESSAGE = "message_id, position, traits, speaker, said_at, text"
_MAX_LENGTH = 65_535


class MessageKey(NamedTuple):
    """Where a message is."""

    scope: int
    place: int


def to_bytes(text: str) -> bytes:
    """Write a text, half a surrogate pair too."""
    return text.encode("utf-8", "surrogatepass")


def text_of(stored: bytes) -> str:
    """Read what ``to_bytes`` wrote."""
    return stored.decode("utf-8", "surrogatepass")


def scope_key(scope: MemoryScope) -> bytes:
    """Name a scope; no id and an empty one are told apart."""
    return json.dumps([scope.user_id, scope.character_id]).encode()


def scope_of(key: bytes) -> MemoryScope:
    """Read what ``scope_key`` gave."""
    user_id, character_id = json.loads(key)
    return MemoryScope(user_id=user_id, character_id=character_id)


def message_of(row: Sequence[Any]) -> MemoryMessage:
    """Make a message of the columns ``MESSAGE``."""
    message_id, position, traits, speaker, said_at, text = row
    role = _ROLES[traits & IS_OF_CHARACTER]
    return MemoryMessage(text_of(message_id), position, role, text_of(speaker), said_at, text_of(text))


def message_columns(message: MemoryMessage, before: MemoryMessage | None) -> tuple[Any, ...]:
    """Write the columns ``MESSAGE`` of a message that follows another in its session, or begins it."""
    follows_question = before is not None and bool(traits_of(before, follows_question=False) & IS_QUESTION)
    traits = traits_of(message, follows_question=follows_question) & (1 << TRAIT_BITS) - 1
    text, speaker = to_bytes(message.text), to_bytes(message.speaker)
    return to_bytes(message.message_id), message.position, traits, speaker, message.said_at, text


def weights_of(analysis: TextAnalysis, text: str) -> tuple[int, dict[bytes, int]]:
    """Count the terms of a text, and make the weight of each as it is stored."""
    counts = Counter(analysis.terms_of(text))
    length = min(counts.total(), _MAX_LENGTH)
    return length, {to_bytes(term): posting_of(0, length, count) for term, count in counts.items()}
