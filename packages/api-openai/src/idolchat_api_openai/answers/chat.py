"""Turns as chat completions: ``chat.completion.chunk`` objects, and the whole ``chat.completion``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from idolchat_api import TurnForm, problem_from_turn, usage_fields
from idolchat_api_openai.answers.finish import finish_reason_of, has_failed, said_of
from idolchat_api_openai.answers.lines import json_line
from idolchat_api_openai.encoding import json_bytes
from idolchat_api_openai.requests.errors import openai_problem, unstored_problem
from idolchat_core import Delta, LiveTurn, TurnEnded, TurnStarted

__all__ = ["chat_form"]


def chat_form(model: str, *, includes_usage: bool, names_ids: bool = True) -> TurnForm:
    """Return the form of a request's reply; ``model`` is what the request calls it.

    With ``names_ids`` it says the conversation and the turn, which are stored.
    """
    return TurnForm(
        encoder=lambda started: _Chunks(started, model, includes_usage=includes_usage, names_ids=names_ids),
        whole=lambda turn, ended: _completion(turn, ended, model, names_ids=names_ids),
        fault=lambda fields: _event(dict(fields)),
        problem=openai_problem if names_ids else unstored_problem,
    )


def _event(fields: Mapping[str, Any]) -> bytes:
    return b"data: %b\n\n" % json_line(fields)


class _Chunks:
    """Encodes the events of one turn, in order, from the first."""

    def __init__(self, started: TurnStarted, model: str, *, includes_usage: bool, names_ids: bool) -> None:
        self._started = started
        self._includes_usage = includes_usage
        self._names_ids = names_ids
        self._common: dict[str, Any] = {
            "id": f"chatcmpl-{started.turn_id.hex}",
            "object": "chat.completion.chunk",
            "created": int(started.created_at.timestamp()),
            "model": model,
        }
        common = json_line(self._common)[:-1].replace(b"%", b"%%")
        usage = b',"usage":null' if includes_usage else b""
        end = b',"logprobs":null,"finish_reason":null}]' + usage + b"}\n\n"
        self._template = b"data: " + common + b',"choices":[{"index":0,"delta":%b' + end
        self._plain = self._template.replace(b'"delta":%b', b'"delta":{"content":%b}')

    def encode(self, first: int, events: Sequence[Delta | TurnStarted | TurnEnded | str], *, after: int = -1) -> bytes:
        """Encode a batch whose first event has ``seq`` ``first``; events up to ``after`` are left out."""
        return b"".join([self._encoded(event) for seq, event in enumerate(events, first) if seq > after])

    def _encoded(self, event: Delta | TurnStarted | TurnEnded | str) -> bytes:
        if isinstance(event, str):
            return self._plain % json_line(event)
        if isinstance(event, Delta):
            if event.fields is None:
                return self._plain % json_line(event.content)
            content = {"content": event.content} if event.content else {}
            return self._template % json_line({**content, **event.fields})
        if isinstance(event, TurnStarted):
            delta = {"role": "assistant", "content": ""}
            return self._chunk(delta, **_ids(event, self._names_ids))
        return self._end(event)

    def _chunk(self, delta: Mapping[str, Any], *, finish_reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self._includes_usage else {}
        return _event({**self._common, "choices": [choice], **usage, **more})

    def _end(self, ended: TurnEnded) -> bytes:
        if has_failed(ended):
            return _event({**self._common, "choices": [], "error": openai_problem(problem_from_turn(ended)).as_dict()})
        last = self._chunk({}, finish_reason=finish_reason_of(ended))
        if not self._includes_usage:
            return last
        return last + _event({**self._common, "choices": [], "usage": usage_fields(ended.usage)})


def _ids(turn: TurnStarted | LiveTurn, names_ids: bool) -> dict[str, Any]:
    return {"conversation_id": turn.conversation_id, "turn_id": turn.turn_id} if names_ids else {}


def _completion(turn: LiveTurn, ended: TurnEnded, model: str, *, names_ids: bool) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "refusal": None, **said_of(turn, ended)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason_of(ended)}
    return json_bytes(
        {
            "id": f"chatcmpl-{turn.turn_id.hex}",
            "object": "chat.completion",
            "created": int(turn.created_at.timestamp()),
            "model": model,
            "choices": [choice],
            "usage": usage_fields(ended.usage),
            **_ids(turn, names_ids),
        }
    )
