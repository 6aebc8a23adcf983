"""Conversations of Claude, as its data export has them in ``conversations.json``.

{"uuid", "name", "created_at", "updated_at", "chat_messages": [{"uuid", "sender": "human" | "assistant", "text",
 "content": [{"type": "text" | "thinking" | "tool_use" | ..., ...}], "created_at", "parent_message_uuid",
 "attachments": [{"file_name", "extracted_content"}], "files": [{"file_name"}]}], "account": {"uuid"}}

``content`` is missing in older exports, and so is ``parent_message_uuid``: there a message follows the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idolchat_cli.conversations.importing.candidate import Findings
from idolchat_cli.conversations.importing.exported import Attachment, Exported
from idolchat_cli.conversations.importing.parts import attachment, key_in, mappings_in, read_content, text_of
from idolchat_cli.conversations.importing.times import read_time

__all__ = ["is_claude", "read_claude"]

_ROLES = {"human": "user", "user": "user", "assistant": "assistant"}


def is_claude(value: Mapping[str, Any]) -> bool:
    """Return whether an object is such a conversation."""
    return isinstance(value.get("chat_messages"), list)


def read_claude(value: Mapping[str, Any], source: str, name: str) -> Findings:
    """Read one conversation."""
    result = Exported(
        "claude",
        str(value.get("uuid") or name),
        source,
        title=value.get("name"),
        created_at=read_time(value.get("created_at")),
        updated_at=read_time(value.get("updated_at")),
        active=key_in(value, "current_leaf_message_uuid"),
        about={"id": value["uuid"]} if isinstance(value.get("uuid"), str) else {},
    )
    before: str | None = None
    for number, message in enumerate(value["chat_messages"], 1):
        before = _add(result, message, number, before)
    yield from result.findings()


def _add(result: Exported, message: Any, number: int, before: str | None) -> str | None:
    if not isinstance(message, Mapping):
        result.skip("message that cannot be read", f"message {number}", is_lost=True)
        return before
    key = key_in(message, "uuid") or f"message {number}"
    parent = key_in(message, "parent_message_uuid") or before
    role = _ROLES.get(str(message.get("sender")))
    if role is None:
        result.skip(f"message of {message.get('sender')}", key, is_lost=True)
        return result.add_gap(key, parent)
    content = read_content(message.get("content"))
    for other in content.others:
        result.skip(other, key)
    said = content.text("\n\n") or text_of(message.get("text")) or ""
    pasted = list(_pasted(message))
    return result.add(
        key,
        parent,
        role,
        "\n\n".join(filter(None, (said, *pasted))),
        time=read_time(message.get("created_at")),
        reasoning=content.reasoning,
        attachments=[*content.attachments, *_attachments(message)],
    )


def _pasted(message: Mapping[str, Any]) -> Iterator[str]:
    """Return the text of attached documents, which is in the export; a long text that was pasted is one."""
    for attached in mappings_in(message, "attachments"):
        text = attached.get("extracted_content")
        if isinstance(text, str) and text.strip():
            yield f"{attachment(attached, 'file')}\n{text}"


def _attachments(message: Mapping[str, Any]) -> Iterator[Attachment]:
    yield from (attachment(one) for one in mappings_in(message, "attachments") if not one.get("extracted_content"))
    yield from (attachment(one) for one in [*mappings_in(message, "files"), *mappings_in(message, "files_v2")])
