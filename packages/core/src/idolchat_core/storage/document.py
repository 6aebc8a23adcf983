"""The stored document: one JSON object per conversation, one message a line, what changes at the end.

    {"id": "...", "created_at": "...", "user_id": "...", "character_id": "...", "messages": [
    {"id": "...", "role": "user", "content": "Hello!", "timestamp": "..."},
    {"id": "...", "role": "assistant", "content": "Hello!", "timestamp": "...", "finish_reason": "stop"}
    ], "updated_at": "..."}

The parts are ``opening``, one ``line`` per message, and ``closing``, so that appending rewrites ``closing`` only:
a line end stands before every line and before the bracket of the closing, and nowhere else.
Files of the original service (no ids, naive times, any order and indentation) decode to the same values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID, uuid5

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from idolchat_core.errors import ConversationDamaged, InvalidRequest
from idolchat_core.models import Conversation, Message, StoredId

__all__ = [
    "changed",
    "closing",
    "closing_of",
    "decode",
    "digest",
    "encode",
    "from_parts",
    "line",
    "lines",
    "opening",
    "owner_of",
    "parse_closing",
    "parse_line",
    "parse_lines",
    "parse_opening",
    "salvage",
    "with_message",
]

_OPENING_FIELDS = ("id", "created_at", "user_id", "character_id")
_NOT_CLOSING_FIELDS = {*_OPENING_FIELDS, "messages"}
_FIXED_FIELDS = {*_NOT_CLOSING_FIELDS, "updated_at", "status"}
_EPOCH = "1970-01-01T00:00:00Z"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAX_DEPTH = 190
"""Levels of nesting in a message or a field: pydantic's parser stops at 200, its serializer only at 255."""

_LINES: TypeAdapter[list[Message]] = TypeAdapter(list[Message])
_OWNER: TypeAdapter[StoredId | None] = TypeAdapter(StoredId | None)


def encode(conversation: Conversation) -> bytes:
    """Write a whole document, UTF-8."""
    return b"".join((opening(conversation), lines(conversation.messages, follows=False), closing(conversation)))


def opening(conversation: Conversation) -> bytes:
    """Write what never changes, up to and with the bracket before the first message."""
    return _json({name: getattr(conversation, name) for name in _OPENING_FIELDS})[:-1] + b',"messages":['


def line(message: Message) -> bytes:
    """Write one message, without a line end anywhere in it.

    Half a surrogate pair is no character and becomes U+FFFD. Raises ``InvalidRequest`` when the message is nested
    so deep that it could not be read again.
    """
    try:
        text = message.__pydantic_serializer__.to_json(message, exclude_unset=True)
    except PydanticSerializationError:
        text = _repaired(message)
    # In a text nothing is nested, however many brackets it has.
    return _readable(text, start=max(0, text.find(b',"timestamp":')) if isinstance(message.content, str) else 0)


def lines(messages: Iterable[Message], *, follows: bool) -> bytes:
    """Write messages as they stand in the document; ``follows`` says that there are some before them."""
    text = b",\n".join(map(line, messages))
    return (b",\n" if follows else b"\n") + text if text else b""


def closing(conversation: Conversation) -> bytes:
    """Write what follows the last message: the line end, the bracket, and the fields that may change."""
    fields = conversation.model_dump(mode="python", exclude_unset=True, exclude=_NOT_CLOSING_FIELDS)
    return closing_of(fields)


def closing_of(fields: Mapping[str, Any]) -> bytes:
    """Write a closing of its fields, ``updated_at`` among them. Raises ``InvalidRequest`` as ``line`` does."""
    kept = {name: value for name, value in fields.items() if name != "head" or value is not None}
    return b"\n]," + _readable(_json({"updated_at": fields["updated_at"]} | kept))[1:]


def changed(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a closing's fields with some set, or removed where the value is None.

    Raises ``InvalidRequest`` for a field that cannot be changed so, or a value that could not be read again.
    """
    fixed = sorted(_FIXED_FIELDS & changes.keys())
    if fixed:
        raise InvalidRequest(f"{fixed[0]} of a conversation cannot be changed on its own", param=fixed[0])
    result = {name: value for name, value in {**fields, **changes}.items() if changes.get(name, value) is not None}
    try:
        Conversation.model_validate({"id": UUID(int=0), "created_at": _EPOCH, **result})
    except ValidationError as error:
        raise InvalidRequest(f"a conversation cannot have {_explained(error)}") from None
    return result


def parse_opening(text: bytes) -> dict[str, Any]:
    """Read the first line of a document in our form, without its line end. Raises ``ValueError``."""
    fields = from_json(text + b"]}")
    if not isinstance(fields, dict) or tuple(fields) != (*_OPENING_FIELDS, "messages") or fields.pop("messages"):
        raise ValueError("not the opening of a document")
    return fields


def parse_lines(text: bytes) -> list[Message]:
    """Read the lines of messages, separated by a comma and any white space. Raises ``ValueError``."""
    return _LINES.validate_json(b"[" + text + b"]")


def parse_line(text: bytes) -> Message:
    """Read the line of one message, without the comma after it. Raises ``ValueError``."""
    [message] = parse_lines(text)
    return message


def parse_closing(text: bytes) -> dict[str, Any]:
    """Read a closing, from its line end on. Raises ``ValueError``."""
    if not text.startswith(b'\n],"updated_at":'):
        raise ValueError("not the closing of a document")
    fields = from_json(b"{" + text[3:])
    if not isinstance(fields, dict) or not isinstance(fields["updated_at"], str):
        raise ValueError("not the closing of a document")
    datetime.fromisoformat(fields["updated_at"])
    return fields


def decode(data: bytes, conversation_id: UUID) -> Conversation:
    """Read a whole document, ours or the original service's. Raises ``ConversationDamaged``."""
    try:
        fields = _parsed(data)
    except (ValueError, RecursionError) as error:
        raise ConversationDamaged(f"conversation {conversation_id} is not valid JSON: {error}") from error
    return from_parts(fields, conversation_id)


def digest(data: bytes) -> str:
    """Return a name for exactly these bytes, 24 hexadecimal digits: a revision for stores that have no other."""
    return blake2b(data, digest_size=12).hexdigest()


def owner_of(data: bytes, conversation_id: UUID) -> StoredId | None:
    """Return the ``user_id`` of a whole document, from its first line alone where it is in our form.

    Raises ``ConversationDamaged`` as ``decode`` does.
    """
    first_line = data.partition(b"\n")[0]
    try:
        return _OWNER.validate_python(parse_opening(first_line)["user_id"])
    except ValueError:
        return decode(data, conversation_id).user_id


def salvage(data: bytes, conversation_id: UUID) -> Conversation:
    """Read what can be read of a document, up to the first error; ``status`` of the result is ``damaged``.

    Raises ``ConversationDamaged`` when no message can be read.
    """
    text = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        fields = from_json(text[: _valid_length(text)], allow_partial=True)
    except ValueError as error:
        raise ConversationDamaged(f"conversation {conversation_id} is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ConversationDamaged(f"conversation {conversation_id} is no JSON object")
    found = fields.get("messages")
    fields["messages"] = [message for message in found if _is_whole(message)] if isinstance(found, list) else []
    if not fields["messages"]:
        raise ConversationDamaged(f"conversation {conversation_id} is cut short before its first message")
    return from_parts(fields, conversation_id).model_copy(update={"status": "damaged"})


def with_message(conversation: Conversation, message: Message) -> Conversation:
    """Return a conversation with a message in place of the one of the same id. Raises ``InvalidRequest``."""
    if all(there.id != message.id for there in conversation.messages):
        raise InvalidRequest(f"no message {message.id} in conversation {conversation.id}", param="message_id")
    replaced = tuple([message if there.id == message.id else there for there in conversation.messages])
    return conversation.model_copy(update={"messages": replaced})


def from_parts(fields: Any, conversation_id: UUID) -> Conversation:
    """Make a conversation of a parsed document, giving ids and times where the original service had none.

    The ids follow from the conversation's and the position, so they are the same at every reading until the
    document is written with them. Raises ``ConversationDamaged`` when it is not a conversation, or another one.
    """
    if not isinstance(fields, dict) or not isinstance(fields.get("messages"), list):
        raise ConversationDamaged(f"conversation {conversation_id} is JSON, but holds no list of messages")
    given = {**fields, "id": fields.get("id") or str(conversation_id), **_times(fields)}
    given["messages"] = tuple(
        _adopted(message, conversation_id, position, given["created_at"])
        for position, message in enumerate(fields["messages"])
    )
    if given.get("status") == "damaged":
        del given["status"]
    try:
        conversation = Conversation.model_validate(given)
    except ValidationError as error:
        raise ConversationDamaged(f"conversation {conversation_id}, {_explained(error)}") from error
    if conversation.id != conversation_id:
        raise ConversationDamaged(f"conversation {conversation_id} is stored as, but holds, {conversation.id}")
    return conversation


def _times(fields: Mapping[str, Any]) -> dict[str, Any]:
    messages = fields["messages"]
    first, last = (_time_of(messages[0]), _time_of(messages[-1])) if messages else (None, None)
    created, updated = fields.get("created_at"), fields.get("updated_at")
    return {
        "created_at": created or first or updated or _EPOCH,
        "updated_at": updated or last or first or created or _EPOCH,
    }


def _time_of(message: Any) -> Any:
    return message.get("timestamp") if isinstance(message, Mapping) else None


def _adopted(message: Any, conversation_id: UUID, position: int, time: Any) -> Any:
    if not isinstance(message, dict) or (message.get("id") and message.get("timestamp")):
        return message
    message_id = message.get("id") or str(uuid5(conversation_id, f"message {position}"))
    return {**message, "id": message_id, "timestamp": message.get("timestamp") or time}


def _is_whole(message: Any) -> bool:
    return isinstance(message, dict) and "role" in message and ("content" in message or "tool_calls" in message)


def _explained(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _json(value: Any) -> bytes:
    try:
        return to_json(value, inf_nan_mode="null")
    except PydanticSerializationError:
        return _repaired(value)


def _repaired(value: Any) -> bytes:
    try:
        plain = value.model_dump(exclude_unset=True) if isinstance(value, Message) else value
        return to_json(_well_formed(plain), inf_nan_mode="null")
    except (PydanticSerializationError, RecursionError) as error:
        raise InvalidRequest(f"a message or field cannot be written as JSON: {error}") from error


def _readable(text: bytes, *, start: int = 0) -> bytes:
    """Return a text as it is. Raises ``InvalidRequest`` where it is nested too deep; nothing is before ``start``."""
    if text.count(b"[", start) + text.count(b"{", start) >= _MAX_DEPTH:  # without the brace before ``start``
        try:
            from_json(b"[" * (200 - _MAX_DEPTH) + text + b"]" * (200 - _MAX_DEPTH))
        except ValueError as error:
            raise InvalidRequest(f"a message or field is nested more than {_MAX_DEPTH} levels deep") from error
    return text


def _well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_well_formed(item) for item in value]
    return value


def _parsed(data: bytes) -> Any:
    try:
        return from_json(data)
    except ValueError:
        # Python's own parser reads what Python's own writer wrote: half a surrogate pair as an escape.
        if b"\\ud" not in data.lower():
            raise
        return _well_formed(json.loads(data.decode()))


def _valid_length(data: bytes) -> int:
    """Return how many bytes are the beginning of some JSON document."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        data = data[: error.start]
        text = data.decode()
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return len(text[: error.pos].encode())
    except RecursionError:
        return 0
    return len(data)
