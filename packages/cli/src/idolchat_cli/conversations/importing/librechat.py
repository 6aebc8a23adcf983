"""Conversations of LibreChat: its JSON export, flat or with each reply within the message that it answers.

{"conversationId", "title", "endpoint", "branches", "recursive", "options": {...}, "messages": [{"messageId",
 "parentMessageId", "sender", "text", "content": [...], "isCreatedByUser", "createdAt", "model", "finish_reason",
 "error", "unfinished", "files", "children": [...]}]}

The export names no active branch; LibreChat opens the newest, and so does this. ``messagesTree`` is the name of
``messages`` in some versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idolchat_cli.conversations.importing.candidate import Findings
from idolchat_cli.conversations.importing.exported import Exported
from idolchat_cli.conversations.importing.parts import (
    attachment,
    key_in,
    list_in,
    mappings_in,
    read_content,
    string_in,
    text_of,
)
from idolchat_cli.conversations.importing.times import read_time

__all__ = ["is_librechat", "read_librechat"]

_ENDINGS = {"stop": "stop", "end_turn": "stop", "length": "length", "max_tokens": "length", "incomplete": "incomplete"}


def is_librechat(value: Mapping[str, Any]) -> bool:
    """Return whether an object is such a conversation."""
    messages = value.get("messages", value.get("messagesTree"))
    if "conversationId" in value:
        return isinstance(messages, list)
    return any("messageId" in one and "isCreatedByUser" in one for one in mappings_in(value, "messages"))


def read_librechat(value: Mapping[str, Any], source: str, name: str) -> Findings:
    """Read one conversation."""
    given = value.get("conversationId")
    result = Exported(
        "librechat",
        str(given or name),
        source,
        title=value.get("title"),
        created_at=read_time(value.get("createdAt")),
        updated_at=read_time(value.get("updatedAt")),
        about={"id": given} if isinstance(given, str) else {},
    )
    before: str | None = None
    for number, (message, parent) in enumerate(_flat(list_in(value, "messages") or list_in(value, "messagesTree")), 1):
        before = _add(result, message, number, parent or before)
    yield from result.findings()


def _flat(messages: list[Any]) -> Iterator[tuple[Any, str | None]]:
    """Return each message with the one that it stands in; what is deep is not walked by calls within each other."""
    waiting: list[tuple[Any, str | None]] = [(message, None) for message in reversed(messages)]
    while waiting:
        message, parent = waiting.pop()
        yield message, parent
        if isinstance(message, Mapping):
            waiting += [(child, key_in(message, "messageId")) for child in reversed(list_in(message, "children"))]


def _add(result: Exported, message: Any, number: int, before: str | None) -> str | None:
    if not isinstance(message, Mapping):
        result.skip("message that cannot be read", f"message {number}", is_lost=True)
        return before
    key = key_in(message, "messageId") or f"message {number}"
    parent = key_in(message, "parentMessageId") or before
    is_user = message.get("isCreatedByUser", str(message.get("sender")).lower() == "user")
    if message.get("error") and not is_user:
        result.skip("error in place of a reply", key)
        return result.add_gap(key, parent)
    content = read_content(message.get("content"))
    for other in content.others:
        result.skip(other, key)
    files = [*mappings_in(message, "files"), *mappings_in(message, "attachments")]
    ending = "incomplete" if message.get("unfinished") else _ENDINGS.get(str(message.get("finish_reason")))
    return result.add(
        key,
        parent,
        "user" if is_user else "assistant",
        text_of(message.get("text")) or content.text(),
        time=read_time(message.get("createdAt")),
        reasoning=content.reasoning,
        attachments=[*content.attachments, *map(attachment, files)],
        model=None if is_user else string_in(message, "model"),
        finish_reason=None if is_user else ending,
    )
