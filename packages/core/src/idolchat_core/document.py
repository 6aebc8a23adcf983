"""The stored document: one JSON object per conversation, one message a line, what changes at the end.

    {"id": "...", "created_at": "...", "user_id": "...", "character_id": "...", "messages": [
    {"id": "...", "role": "user", "content": "Hello!", "timestamp": "..."},
    {"id": "...", "role": "assistant", "content": "Hello!", "timestamp": "...", "finish_reason": "stop"}
    ], "updated_at": "..."}

The parts are ``opening``, one ``line`` per message, and ``closing``, so that appending rewrites ``closing`` only.
Files of the original service (no ids, naive times, any order and indentation) decode to the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid5

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from idolchat_core.errors import ConversationDamaged
from idolchat_core.models import Conversation, Message

__all__ = ["closing", "decode", "encode", "from_parts", "line", "lines", "opening", "salvage"]

_OPENING_FIELDS = {"id", "created_at", "user_id", "character_id"}
_NOT_CLOSING_FIELDS = _OPENING_FIELDS | {"messages", "status"}


def encode(conversation: Conversation) -> bytes:
    """Write a whole document, UTF-8."""
    return b"".join((opening(conversation), lines(conversation.messages, follows=False), closing(conversation)))


def opening(conversation: Conversation) -> bytes:
    """Write what never changes, up to and with the bracket before the first message."""
    fields = {
        "id": conversation.id,
        "created_at": conversation.created_at,
        "user_id": conversation.user_id,
        "character_id": conversation.character_id,
    }
    return to_json(fields)[:-1] + b',"messages":['


def line(message: Message) -> bytes:
    """Write one message, without a line end anywhere in it."""
    return message.__pydantic_serializer__.to_json(message, exclude_unset=True)


def lines(messages: Iterable[Message], *, follows: bool) -> bytes:
    """Write messages as they stand in the document; ``follows`` says that there are some before them."""
    text = b",\n".join(map(line, messages))
    return (b",\n" if follows else b"\n") + text if text else b""


def closing(conversation: Conversation) -> bytes:
    """Write what follows the last message: the line end, the bracket, and the fields that may change."""
    fields = conversation.model_dump(mode="json", exclude_unset=True, exclude=_NOT_CLOSING_FIELDS)
    return b"\n]," + to_json({"updated_at": conversation.updated_at} | fields)[1:]


def decode(data: bytes, conversation_id: UUID) -> Conversation:
    """Read a whole document, ours or the original service's. Raises ``ConversationDamaged``."""
    try:
        fields = from_json(data)
    except ValueError as error:
        raise ConversationDamaged(f"conversation {conversation_id} is not valid JSON: {error}") from error
    return from_parts(fields, conversation_id)


def salvage(data: bytes, conversation_id: UUID) -> Conversation:
    """Read what can be read of a document that is cut short; ``status`` of the result is ``damaged``.

    Raises ``ConversationDamaged`` when not even its beginning can be read.
    """
    try:
        fields = from_json(data, allow_partial=True)
    except ValueError as error:
        raise ConversationDamaged(f"conversation {conversation_id} is not valid JSON: {error}") from error
    if isinstance(fields, dict) and isinstance(fields.get("messages", []), list):
        fields["messages"] = [m for m in fields.get("messages", []) if isinstance(m, dict) and "role" in m]
        fields["status"] = "damaged"
    return from_parts(fields, conversation_id)


def from_parts(fields: Any, conversation_id: UUID) -> Conversation:
    """Make a conversation of a parsed document, giving ids and times where the original service had none.

    The ids follow from the conversation's and the position, so they are the same at every reading until the
    document is written with them. Raises ``ConversationDamaged`` when it is not a conversation, or another one.
    """
    if not isinstance(fields, dict) or not isinstance(fields.get("messages"), list):
        raise ConversationDamaged(f"conversation {conversation_id} is JSON, but holds no list of messages")
    fields.setdefault("id", str(conversation_id))
    times = [fields.get("created_at"), fields.get("updated_at")]
    times += [_time_of(message) for message in fields["messages"][:: max(len(fields["messages"]) - 1, 1)]]
    fields["created_at"] = fields.get("created_at") or next((time for time in times if time), _EPOCH)
    fields["updated_at"] = fields.get("updated_at") or next((time for time in reversed(times) if time), _EPOCH)
    fields["messages"] = tuple(
        _adopted(message, conversation_id, position, fields["created_at"])
        for position, message in enumerate(fields["messages"])
    )
    try:
        conversation = Conversation.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ConversationDamaged(f"conversation {conversation_id}, {place}: {first['msg']}") from error
    if conversation.id != conversation_id:
        raise ConversationDamaged(f"conversation {conversation_id} is stored as, but holds, {conversation.id}")
    return conversation


_EPOCH = "1970-01-01T00:00:00Z"


def _time_of(message: Any) -> Any:
    return message.get("timestamp") if isinstance(message, Mapping) else None


def _adopted(message: Any, conversation_id: UUID, position: int, time: Any) -> Any:
    if not isinstance(message, dict) or ("id" in message and "timestamp" in message):
        return message
    given = {"id": str(uuid5(conversation_id, f"message {position}")), **message}
    return {**given, "timestamp": message.get("timestamp") or time}
