"""Whether a request is a turn of a conversation, or something that a front end asks beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from idolchat_api_openai.requests.hints import Hints
from idolchat_api_openai.requests.said import History, Said

__all__ = ["Purpose", "purpose_of"]


class Purpose(StrEnum):
    """``TURN``: part of the conversation. ``ASIDE``: asked of the character beside it. ``TASK``: asked of the model."""

    TURN = "turn"
    ASIDE = "aside"
    TASK = "task"


_TASK = re.compile(
    r"\s*(?:### Task:|.*<chat_history>|Provide a concise, 5-word-or-less title for the conversation"
    r"|Analyze this conversation and provide:\s*1\. The detected language)",
    re.DOTALL,
)
"""What background tasks look like: those of Open WebUI 0.12.4, and titles by @librechat/agents (read 2026-11-29)."""
_CONTINUE = re.compile(r"\bcontinu(?:e|ing)\b.{0,40}\b(?:message|response|reply)", re.IGNORECASE | re.DOTALL)
"""SillyTavern's "[Continue your last message without repeating its original content.]"."""


def purpose_of(history: History, hints: Hints) -> Purpose:
    """Classify a request by what it is for."""
    said = history.said
    if hints.is_task or (not hints.message and _looks_like_task(said)):
        return Purpose.TASK
    if hints.is_quiet or not hints.stores:
        return Purpose.ASIDE
    if hints.generation is None and said and said[-1].role == "assistant" and history.closing:
        is_continued = any(_CONTINUE.search(str(one.fields.get("content"))) for one in history.closing)
        return Purpose.TURN if is_continued else Purpose.ASIDE
    return Purpose.TURN


def _looks_like_task(said: Sequence[Said]) -> bool:
    content = said[0].fields.get("content") if len(said) == 1 and said[0].role == "user" else None
    return isinstance(content, str) and _TASK.match(content) is not None
