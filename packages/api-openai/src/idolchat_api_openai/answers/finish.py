"""How a turn ended, and what it said, in OpenAI's words."""

from __future__ import annotations

from typing import Any

from idolchat_core import LiveTurn, TurnEnded, TurnState

__all__ = ["finish_reason_of", "has_failed", "said_of"]

_GOOD_ENDS = frozenset({TurnState.COMPLETED, TurnState.CANCELLED})


def has_failed(ended: TurnEnded) -> bool:
    """Whether a turn has no reply, or part of one that nobody has stopped."""
    return ended.state not in _GOOD_ENDS


def finish_reason_of(ended: TurnEnded) -> str:
    """Return the reason that a client is told; a reply that somebody has stopped ends like any other."""
    reason = ended.message.finish_reason if ended.message else None
    return "stop" if ended.state is TurnState.CANCELLED or reason is None else reason


def said_of(turn: LiveTurn, ended: TurnEnded) -> dict[str, Any]:
    """Return the fields of the assistant's message; of a reply that is continued, what was added."""
    message = ended.message
    if message is None:
        return {"content": None}
    content = message.content
    if isinstance(content, str):
        content = content.removeprefix(turn.continued_text)
    fields: dict[str, Any] = {"content": content}
    for name in ("reasoning", "reasoning_details", "refusal", "annotations"):
        if (value := (message.model_extra or {}).get(name)) is not None:
            fields[name] = value
    return fields | ({"tool_calls": message.tool_calls} if message.tool_calls else {})
