"""Encoding a turn's events as server-sent events with OpenAI's ``chat.completion.chunk`` objects.

    id: <turn_id>:<seq>
    data: {"id": "chatcmpl-<turn_id>", "object": "chat.completion.chunk", ..., "choices": [...]}

The bytes follow from the events alone, so every reader of a turn gets the same.
"""

from __future__ import annotations

from typing import Any

import orjson

from idolchat_api.errors import problem_from_turn
from idolchat_api.streaming.completions import UNKNOWN_MODEL, completion_id, usage_fields
from idolchat_core.events.events import Batch, TurnEnded, TurnStarted, TurnState
from idolchat_core.llm.contract import Delta

__all__ = ["DONE", "ChunkEncoder", "one_line", "waiting"]

DONE = b"data: [DONE]\n\n"
_GOOD_ENDS = frozenset({TurnState.COMPLETED, TurnState.CANCELLED})
_DELTA_END = b',"finish_reason":null}]}\n\n'


def one_line(json: bytes) -> bytes:
    """Escape characters that JSON allows but many line readers take for line ends: U+0085, U+2028, U+2029."""
    if json.isascii():
        return json
    return (
        json.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029").replace(b"\xc2\x85", b"\\u0085")
    )


def waiting(started: TurnStarted) -> dict[str, Any]:
    """Return what the first event says of a turn that waits for others of its conversation."""
    return {"state": TurnState.QUEUED, "turns_ahead": started.turns_ahead} if started.turns_ahead else {}


def speaking(started: TurnStarted) -> dict[str, Any]:
    """Return what the first event says of who answers, where a conversation has several characters."""
    return {"character_id": started.character_id} if started.character_id is not None else {}


class ChunkEncoder:
    """Encodes the events of one turn, in order, from the first."""

    def __init__(self, started: TurnStarted) -> None:
        self._started = started
        self._head = f"id: {started.turn_id}:".encode()
        self._answers_as(started.model)

    def encode(self, first: int, events: Batch, *, after: int = -1) -> bytes:
        """Encode a batch whose first event has ``seq`` ``first``; events up to ``after`` are left out."""
        parts: list[bytes] = []
        for seq, event in enumerate(events, first):
            if isinstance(event, str):
                if seq > after:
                    parts.append(self._plain % (seq, orjson.dumps(event)))
            elif isinstance(event, Delta):
                content, fields, model, _ = event
                if model is not None and model != self._model:
                    self._answers_as(model)
                if seq > after:
                    json = orjson.dumps(content)
                    parts.append(self._plain % (seq, json) if fields is None else self._delta(seq, event))
            elif seq > after:
                parts.append(self._chunk(seq, self._start() if isinstance(event, TurnStarted) else _end(event)))
        return one_line(b"".join(parts))

    def _answers_as(self, model: str | None) -> None:
        self._model = model
        self._common = {
            "id": completion_id(self._started.turn_id),
            "object": "chat.completion.chunk",
            "created": int(self._started.created_at.timestamp()),
            "model": model or UNKNOWN_MODEL,
        }
        common = orjson.dumps(self._common)[:-1].replace(b"%", b"%%")
        self._template = self._head + b"%d\ndata: " + common + b',"choices":[{"index":0,"delta":%b' + _DELTA_END
        self._plain = self._template.replace(b'"delta":%b', b'"delta":{"content":%b}')

    def _delta(self, seq: int, delta: Delta) -> bytes:
        content = {"content": delta.content} if delta.content else {}
        return self._template % (seq, orjson.dumps({**content, **(delta.fields or {})}))

    def _chunk(self, seq: int, fields: dict[str, Any]) -> bytes:
        return b"%b%d\ndata: %b\n\n" % (self._head, seq, orjson.dumps(self._common | self._ids() | fields))

    def _ids(self) -> dict[str, Any]:
        return {"conversation_id": self._started.conversation_id, "turn_id": self._started.turn_id}

    def _start(self) -> dict[str, Any]:
        delta = {"role": "assistant", "content": ""}
        return {
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
            "user_message_id": self._started.user_message_id,
            **speaking(self._started),
        } | waiting(self._started)


def _end(ended: TurnEnded) -> dict[str, Any]:
    message = ended.message
    is_good = ended.state in _GOOD_ENDS
    finish_reason = (message.finish_reason if message else ended.state) if is_good else "error"
    fields: dict[str, Any] = {
        "choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}],
        "usage": usage_fields(ended.usage),
        "message_id": message.id if message else None,
        "state": ended.state,
    }
    if not is_good:
        fields["error"] = problem_from_turn(ended).as_dict()
    return fields
