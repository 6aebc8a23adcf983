"""Reads what can be read of a damaged file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from idolchat_core import Conversation, ConversationDamaged, Message, document

__all__ = ["salvage"]


def salvage(data: bytes, conversation_id: UUID) -> Conversation:
    """Read every whole message of a file in our form, and those before the first error of any other.

    Raises ``ConversationDamaged`` when there is none.
    """
    first, *segments = data.split(b"\n")
    try:
        opening = document.parse_opening(first)
    except ValueError:
        return document.salvage(data, conversation_id)
    messages = tuple(message for segment in segments for message in _messages(segment))
    if not messages:
        raise ConversationDamaged(f"conversation {conversation_id} holds no message that can be read")
    fields = {"updated_at": messages[-1].timestamp, **_closing(segments[-1]), "messages": []}
    conversation = document.from_parts({**opening, **fields}, conversation_id)
    return conversation.model_copy(update={"messages": messages, "status": "damaged"})


def _messages(segment: bytes) -> list[Message]:
    try:
        return document.parse_lines(segment.removesuffix(b","))
    except ValueError:
        return []


def _closing(segment: bytes) -> dict[str, Any]:
    try:
        return document.parse_closing(b"\n" + segment)
    except ValueError:
        return {}
