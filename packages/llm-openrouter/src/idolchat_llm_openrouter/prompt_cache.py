"""Marks in a prompt up to which a provider is to cache it, for models that cache nothing without being told.

Anthropic's models, with ``cache_control`` on a text block: reading costs a tenth, writing a quarter more, and each of
at most four marks finds what was cached within twenty blocks before it (OpenRouter's guide on prompt caching, read
2026-11-29). Others cache by themselves, or want no more than a prompt that begins as the one before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["marked", "takes_assistant_first", "takes_late_system", "wants_marks"]

_WANTS_MARKS = re.compile(r"anthropic/|claude", re.IGNORECASE)
_EARLY_SYSTEM_ONLY = re.compile(r"anthropic/|claude|gemini|gemma", re.IGNORECASE)
_USER_FIRST = re.compile(r"anthropic/|claude|gemini|gemma|mistral|mixtral", re.IGNORECASE)
_MARK = {"type": "ephemeral"}


def wants_marks(model: str | None) -> bool:
    """Whether a model's prompt cache works by explicit marks alone."""
    return bool(model and _WANTS_MARKS.search(model))


def takes_late_system(model: str) -> bool:
    """Whether a model takes system messages after the first of the user.

    The APIs of Claude and Gemini have one system text: what is said later is moved to it, or refused.
    """
    return not _EARLY_SYSTEM_ONLY.search(model)


def takes_assistant_first(model: str) -> bool:
    """Whether a model takes a reply as the first message after the instructions.

    The APIs of Claude and Gemini want the user's first, and so do the chat templates of Gemma and Mistral.
    """
    return not _USER_FIRST.search(model)


def marked(messages: Sequence[Mapping[str, Any]], positions: Sequence[int]) -> Sequence[Mapping[str, Any]]:
    """Return the messages with a mark after each position; none where the caller has set marks of its own."""
    if any(_has_mark(message) for message in messages):
        return messages
    result = list(messages)
    for position in positions:
        place = next((i for i in range(position, -1, -1) if _text_part(result[i]) is not None), None)
        if place is not None:
            result[place] = _with_mark(result[place])
    return result


def _has_mark(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(isinstance(part, dict) and "cache_control" in part for part in content)


def _text_part(message: Mapping[str, Any]) -> int | None:
    """Find the part of a message that can carry a mark: its last text that is not empty; -1 for a plain text."""
    content = message.get("content")
    if isinstance(content, str):
        return -1 if content else None
    parts = content if isinstance(content, list) else []
    texts = [i for i, part in enumerate(parts) if isinstance(part, dict) and part.get("type") == "text"]
    return next((i for i in reversed(texts) if parts[i].get("text")), None)


def _with_mark(message: Mapping[str, Any]) -> Mapping[str, Any]:
    content, place = message["content"], _text_part(message)
    if isinstance(content, str):
        return {**message, "content": [{"type": "text", "text": content, "cache_control": _MARK}]}
    parts = [part | {"cache_control": _MARK} if i == place else part for i, part in enumerate(content)]
    return {**message, "content": parts}
