"""A message in words, for people."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from idolchat_core.models import Message, StoredId

__all__ = ["message_id", "remarks", "said"]

_ORDINARY = frozenset({None, "stop", "tool_calls"})


def message_id(text: str) -> StoredId:
    """Read the id of a message: a UUID, or another name in documents of other services."""
    try:
        return UUID(text)
    except ValueError:
        return text


def said(message: Message) -> str:
    """Return what a message says; what is no text is named in brackets."""
    return "\n".join(_parts(message))


def remarks(message: Message) -> Iterator[str]:
    """Return what is noteworthy of a message besides its role and time."""
    if message.model:
        yield message.model
    if message.deleted_at is not None:
        yield "deleted"
    if message.finish_reason not in _ORDINARY:
        yield str(message.finish_reason)


def _parts(message: Message) -> Iterator[str]:
    if isinstance(message.content, str):
        if message.content:
            yield message.content
    else:
        for part in message.content or ():
            text = part.get("text")
            yield text if isinstance(text, str) else f"[{part.get('type', 'something')}]"
    for call in message.tool_calls or ():
        function = call.get("function") or {}
        yield f"[calls {function.get('name', '?')}({function.get('arguments', '')})]"
    if message.error:
        yield f"[{message.error.get('message') or message.error.get('code') or 'error'}]"
