"""Turns in the form of OpenAI's chat completions API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from idolchat_core.events.events import TurnEnded
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import Message, Usage, id_text

__all__ = ["UNKNOWN_MODEL", "completion", "completion_id", "usage_fields"]

UNKNOWN_MODEL = "unknown"
"""What stands for a model that the provider chose and has not told; OpenAI's clients want a string."""


def completion_id(turn_id: UUID) -> str:
    """Return the id of a turn's completion."""
    return f"chatcmpl-{id_text(turn_id)}"


def usage_fields(usage: Usage | None) -> dict[str, Any] | None:
    """Return usage under OpenAI's names, with further fields of the provider (``cost``, in its currency)."""
    if usage is None:
        return None
    fields: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    if usage.cached_tokens is not None:
        fields["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        fields["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    if usage.cost is not None:
        fields["cost"] = usage.cost
    if usage.is_estimate:
        fields["is_estimate"] = True
    return (usage.model_extra or {}) | fields


def completion(turn: LiveTurn, ended: TurnEnded) -> bytes:
    """Encode the ``chat.completion`` object of a turn that completed, or was cancelled with part of a reply."""
    message = ended.message
    choice = {
        "index": 0,
        "message": _assistant_fields(message),
        "logprobs": None,
        "finish_reason": message.finish_reason if message else ended.state,
    }
    return orjson.dumps(
        {
            "id": completion_id(turn.turn_id),
            "object": "chat.completion",
            "created": int(turn.created_at.timestamp()),
            "model": (message and message.model) or turn.model or UNKNOWN_MODEL,
            "choices": [choice],
            "usage": usage_fields(ended.usage),
            "conversation_id": turn.conversation_id,
            "turn_id": turn.turn_id,
            "user_message_id": turn.user_message_id,
            "message_id": message.id if message else None,
            **({"character_id": message.character_id} if message and message.character_id is not None else {}),
        }
    )


def _assistant_fields(message: Message | None) -> dict[str, Any]:
    if message is None:
        return {"role": "assistant", "content": None}
    fields = {"role": message.role, "content": message.content} | (message.model_extra or {})
    if message.tool_calls:
        fields["tool_calls"] = message.tool_calls
    return fields
