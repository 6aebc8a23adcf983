"""What the routes of one application share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from idolchat_api import Caller
from idolchat_api_openai.beginning import Beginner, Begun
from idolchat_api_openai.settings import OpenAISettings

__all__ = ["Server", "conversation_headers", "described"]

_MESSAGE: Mapping[str, Any] = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {
        "role": {"type": "string", "enum": ["system", "developer", "user", "assistant"]},
        "content": {"type": "string", "minLength": 1},
    },
}
_FIELDS: Mapping[str, Any] = {
    "model": {"type": "string", "minLength": 1, "maxLength": 256},
    "messages": {"type": "array", "minItems": 1, "items": _MESSAGE},
    "input": {"type": "string", "minLength": 1},
}
"""The fields that a request must have, in their simplest form."""


class Server:
    """What the routes of one application share."""

    def __init__(self, settings: OpenAISettings) -> None:
        self.settings = settings
        self._beginner: tuple[object, Beginner] | None = None

    def beginner(self, caller: Caller) -> Beginner:
        """Return what begins turns, made anew where the application was started again."""
        if self._beginner is None or self._beginner[0] is not caller.service:
            self._beginner = caller.service, Beginner(caller, self.settings)
        return self._beginner[1]


def conversation_headers(begun: Begun) -> list[tuple[bytes, bytes]]:
    """Return the header that tells a client our id of its conversation; none for what is stored nowhere."""
    return [(b"x-idolchat-conversation", str(begun.turn.conversation_id).encode())] if begun.is_stored else []


def described(
    summary: str, *, parameters: Sequence[Mapping[str, Any]] = (), body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Describe an operation for the OpenAPI document; OpenAI's own describes its fields. ``body`` is an example."""
    schema: dict[str, Any] = {"type": "object"}
    if body is not None and "model" in body:
        schema |= {"required": list(body), "properties": {name: _FIELDS[name] for name in body}}
    sent = {"required": True, "content": {"application/json": {"schema": schema, "example": body}}}
    envelope = {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}
    return {
        "tags": ["openai"],
        "summary": summary,
        "parameters": list(parameters),
        **({"requestBody": sent} if body is not None else {}),
        "responses": {
            "200": {
                "description": "As OpenAI answers; events with `stream`.",
                "content": {"application/json": {}, "text/event-stream": {}},
            },
            "default": {"description": "As OpenAI words errors.", "content": {"application/json": envelope}},
        },
    }
