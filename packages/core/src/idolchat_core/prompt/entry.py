"""A message of a branch, as prompts need it."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from idolchat_core.llm.token_estimator import message_size
from idolchat_core.memory_size import memory_size
from idolchat_core.models import Message, StoredId

__all__ = ["UNFINISHED", "Entry", "entry_of"]

UNFINISHED = frozenset({"error", "cancelled", "incomplete", "interrupted"})
"""The ``finish_reason`` of replies that are not what the model meant to say."""
_SENT_FIELDS = frozenset({"name", "tool_calls", "tool_call_id", "reasoning_details"})
"""What a provider is sent of a message besides role and content (reasoning_details: OpenRouter wants it back)."""
_ENTRY_BYTES = 300
"""Memory that an entry takes besides what is sent: measured, CPython 3.12."""


class Entry(NamedTuple):
    """What is kept of a message of the branch.

    ``position`` is its place in the document, ``sent`` its form for providers, ``size`` is that of ``tokens``.
    """

    id: StoredId
    position: int
    sent: dict[str, Any]
    size: float
    turn_id: UUID | None
    parent_id: StoredId | None
    finish_reason: str | None
    is_deleted: bool = False
    character_id: StoredId | None = None

    @property
    def role(self) -> str:
        """Who speaks."""
        role: str = self.sent["role"]
        return role

    @property
    def held_bytes(self) -> int:
        """About how much memory it takes."""
        return _ENTRY_BYTES + memory_size(self.sent)


def entry_of(message: Message, position: int) -> Entry:
    """Return what is kept of a message that stands at a position of the document."""
    sent: dict[str, Any] = {"role": message.role, "content": message.content}
    given = message.model_fields_set
    if not _SENT_FIELDS.isdisjoint(given):
        more = {name: getattr(message, name) for name in sorted(_SENT_FIELDS & given)}
        sent |= {name: value for name, value in more.items() if value is not None}
    if message.finish_reason in UNFINISHED:
        sent.pop("tool_calls", None)
    size = message_size(sent)
    is_deleted = message.deleted_at is not None
    given_by = (message.turn_id, message.parent_id, message.finish_reason)
    return Entry(message.id, position, sent, size, *given_by, is_deleted, message.character_id)
