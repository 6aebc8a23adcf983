"""Chats of Open WebUI: one that was downloaded, all of a user, or all of an administrator; an array each time.

{"id", "user_id", "title", "created_at", "updated_at", "chat": {"title", "models", "history": {"messages": {id:
 {"id", "parentId", "childrenIds", "role", "content", "timestamp", "model", "files", "output", "error"}}, "currentId"},
 "messages": [...]}}

Early versions (Ollama WebUI) wrote what is in ``chat`` alone, some with ``messages`` alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from idolchat_cli.conversations.importing.candidate import Findings
from idolchat_cli.conversations.importing.exported import Exported
from idolchat_cli.conversations.importing.parts import (
    Content,
    attachment,
    key_in,
    list_in,
    mapping_in,
    read_content,
    string_in,
)
from idolchat_cli.conversations.importing.times import read_time

__all__ = ["is_openwebui", "read_openwebui"]

_DETAILS = re.compile(r'<details type="(\w+)"[^>]*>(.*?)</details>\s*', re.DOTALL)
_SUMMARY = re.compile(r"\s*<summary>.*?</summary>\s*", re.DOTALL)
_QUOTE = re.compile(r"^> ?", re.MULTILINE)


def is_openwebui(value: Mapping[str, Any]) -> bool:
    """Return whether an object is such a chat."""
    chat = value.get("chat")
    if isinstance(chat, Mapping):
        return "history" in chat or isinstance(chat.get("messages"), list | dict)
    return isinstance(mapping_in(value, "history").get("messages"), list | dict)


def read_openwebui(value: Mapping[str, Any], source: str, name: str) -> Findings:
    """Read one chat."""
    chat = mapping_in(value, "chat") or value
    history = mapping_in(chat, "history")
    given = value.get("id") or chat.get("id")
    result = Exported(
        "openwebui",
        str(given or [name, chat.get("title"), chat.get("timestamp")]),
        source,
        title=value.get("title") or chat.get("title"),
        created_at=read_time(value.get("created_at") or chat.get("timestamp")),
        updated_at=read_time(value.get("updated_at")),
        active=key_in(history, "currentId"),
        about={"id": given} if isinstance(given, str) else {},
    )
    messages = history.get("messages") or chat.get("messages")
    before: str | None = None
    for number, (key, message) in enumerate(_keyed(messages), 1):
        before = _add(result, message, key or f"message {number}", before)
    yield from result.findings()


def _keyed(messages: Any) -> Iterator[tuple[str | None, Any]]:
    if isinstance(messages, Mapping):
        yield from messages.items()
    elif isinstance(messages, Sequence):
        for message in messages:
            yield key_in(message, "id") if isinstance(message, Mapping) else None, message


def _add(result: Exported, message: Any, key: str, before: str | None) -> str | None:
    if not isinstance(message, Mapping):
        result.skip("message that cannot be read", key, is_lost=True)
        return before
    parent = key_in(message, "parentId") if "parentId" in message else before
    role = message.get("role")
    if role not in ("user", "assistant"):
        result.skip(f"message of {role}", key, is_lost=role not in ("system", "tool"))
        return result.add_gap(key, parent)
    content = _content(message)
    for other in content.others:
        result.skip(other, key)
    if message.get("error") and not content.text():
        result.skip("error in place of a reply", key)
        return result.add_gap(key, parent)
    return result.add(
        key,
        parent,
        role,
        content.text(),
        time=read_time(message.get("timestamp")),
        reasoning=content.reasoning,
        attachments=[*content.attachments, *map(attachment, list_in(message, "files"))],
        model=string_in(message, "model", "selectedModelId", "modelName") if role == "assistant" else None,
    )


def _content(message: Mapping[str, Any]) -> Content:
    """Sort what a message says: in newer versions by ``output``, in others by the blocks within its text."""
    said = read_content(list_in(message, "output"))
    if said.text():
        return said
    said = read_content(message.get("content"))
    said.texts = [_without_details(text, said) for text in said.texts]
    return said


def _without_details(text: str, said: Content) -> str:
    for kind, inside in _DETAILS.findall(text):
        if kind == "reasoning":
            said.thoughts.append(_QUOTE.sub("", html.unescape(_SUMMARY.sub("", inside))).strip())
        else:
            said.others.append("tool call or its result")
    return _DETAILS.sub("", text)
