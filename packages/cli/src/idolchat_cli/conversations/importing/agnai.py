"""Chats of Agnai: its JSON export, which names neither the chat nor the user, and shortens all ids.

{"name": "Exported", "greeting", "scenario", "treeLeafId", "messages": [{"_id", "parent", "createdAt", "msg", "userId",
 "characterId", "handle", "name", "ooc", "retries", "state"}]}

A message with a ``userId`` is the user's. ``ooc`` (out of character) keeps one from the model. In some versions
``parent`` is the beginning of a message, not of an id: there a message follows the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idolchat_cli.conversations.importing.candidate import Findings
from idolchat_cli.conversations.importing.exported import Attachment, Exported
from idolchat_cli.conversations.importing.parts import key_in, list_in, mappings_in, string_in, text_of
from idolchat_cli.conversations.importing.times import read_time

__all__ = ["is_agnai", "read_agnai"]

_IDENTIFYING = ("_id", "createdAt", "msg")


def is_agnai(value: Mapping[str, Any]) -> bool:
    """Return whether an object is such a chat."""
    return any("msg" in one for one in mappings_in(value, "messages")) or (
        isinstance(value.get("messages"), list) and "sampleChat" in value
    )


def read_agnai(value: Mapping[str, Any], source: str, name: str) -> Findings:
    """Read one chat; its first message and the ``name`` of its file tell it from others."""
    messages = value["messages"]
    first = next(iter(mappings_in(value, "messages")), {})
    result = Exported("agnai", str([name, *(str(first.get(field)) for field in _IDENTIFYING)]), source)
    keys = set(filter(None, (key_in(one, "_id") for one in mappings_in(value, "messages"))))
    leaf = value.get("treeLeafId")
    if isinstance(leaf, str):
        result.active = next((key for key in keys if leaf.startswith(key)), None)
    before: str | None = None
    for number, message in enumerate(messages, 1):
        before = _add(result, message, number, before, keys)
    yield from result.findings()


def _add(result: Exported, message: Any, number: int, before: str | None, keys: set[str]) -> str | None:
    if not isinstance(message, Mapping) or text_of(message.get("msg")) is None:
        result.skip("message that cannot be read", f"message {number}", is_lost=True)
        return before
    is_user = bool(message.get("userId"))
    text = text_of(message["msg"]) or ""
    given: dict[str, Any] = {
        "time": read_time(message.get("createdAt")),
        "speaker": string_in(message, "name", "handle"),
    }
    named = key_in(message, "parent")
    parent = named if named in keys else before
    key = key_in(message, "_id") or f"message {number}"
    for position, retry in enumerate(list_in(message, "retries")):
        if isinstance(retry, str) and retry.strip() and retry != text:
            result.add(f"{key} retry {position}", parent, "assistant", retry, **given)
    return result.add(
        key,
        parent,
        "user" if is_user else "assistant",
        text,
        is_hidden=bool(message.get("ooc")),
        attachments=[Attachment("image") for _ in list_in(message, "extras") if message.get("adapter") == "image"],
        **given,
    )
