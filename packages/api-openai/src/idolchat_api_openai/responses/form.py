"""Turns as OpenAI's responses: the events of a stream, and the whole ``response``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from idolchat_api import TurnForm, problem_from_turn
from idolchat_api_openai.answers.finish import finish_reason_of, has_failed, said_of
from idolchat_api_openai.answers.lines import json_line
from idolchat_api_openai.encoding import json_bytes
from idolchat_api_openai.requests.errors import openai_problem, unstored_problem
from idolchat_api_openai.responses.items import call_item, output_of, text_item, text_part
from idolchat_core import Delta, LiveTurn, TurnEnded, TurnStarted, Usage

__all__ = ["RequestFacts", "response_form", "response_id", "response_object", "turn_id_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What a response repeats of its request."""

    model: str
    stores: bool = True
    fields: Mapping[str, Any] = field(default_factory=dict)


def response_id(turn_id: UUID) -> str:
    """Return the id of a turn's response."""
    return f"resp_{turn_id.hex}"


def turn_id_of(name: str) -> UUID | None:
    """Return the turn that a response, or one of its items, is of; None for an id that is none of ours."""
    try:
        return UUID(name.partition("_")[2].partition("_")[0])
    except ValueError:
        return None


_DEFAULTS: Mapping[str, Any] = {
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "max_output_tokens": None,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}},
    "truncation": "disabled",
    "user": None,
}


def response_object(
    facts: RequestFacts,
    *,
    turn_id: UUID,
    conversation_id: UUID,
    created_at: datetime,
    status: str,
    output: Sequence[Mapping[str, Any]] = (),
    usage: Usage | None = None,
    error: Mapping[str, Any] | None = None,
    incomplete: str | None = None,
) -> dict[str, Any]:
    """Return a ``response``."""
    given = {name: facts.fields[name] for name in _DEFAULTS if facts.fields.get(name) is not None}
    return {
        "id": response_id(turn_id),
        "object": "response",
        "created_at": int(created_at.timestamp()),
        "status": status,
        "background": False,
        "error": error,
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "model": facts.model,
        "output": list(output),
        "conversation": {"id": f"conv_{conversation_id.hex}"} if facts.stores else None,
        "store": facts.stores,
        "usage": usage_of(usage),
        **_DEFAULTS,
        **given,
    }


def usage_of(usage: Usage | None) -> dict[str, Any] | None:
    """Return usage as responses name it."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens or 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def ending_of(ended: TurnEnded) -> dict[str, Any]:
    """Return the fields that say how a turn ended."""
    if has_failed(ended):
        problem = openai_problem(problem_from_turn(ended))
        return {"status": "failed", "error": {"code": problem.code, "message": problem.message}, "usage": ended.usage}
    reason = _INCOMPLETE.get(finish_reason_of(ended))
    return {"status": "incomplete" if reason else "completed", "incomplete": reason, "usage": ended.usage}


def response_form(facts: RequestFacts) -> TurnForm:
    """Return the form of a request's response."""
    return TurnForm(
        encoder=lambda started: _Events(started, facts),
        whole=lambda turn, ended: _whole(turn, ended, facts),
        fault=_fault,
        problem=openai_problem if facts.stores else unstored_problem,
    )


def _whole(turn: LiveTurn, ended: TurnEnded, facts: RequestFacts) -> bytes:
    said = said_of(turn, ended)
    return json_bytes(
        response_object(
            facts,
            turn_id=turn.turn_id,
            conversation_id=turn.conversation_id,
            created_at=turn.created_at,
            output=output_of(turn.turn_id.hex, said["content"], said.get("tool_calls")),
            **ending_of(ended),
        )
    )


def _fault(fields: Mapping[str, Any]) -> bytes:
    error = fields["error"]
    event = {"type": "error", "code": error.get("code"), "message": error.get("message"), "param": None}
    return b"event: error\ndata: %b\n\n" % json_bytes(event | {"sequence_number": 0})


class _Events:
    """Encodes the events of one turn, in order, from the first."""

    def __init__(self, started: TurnStarted, facts: RequestFacts) -> None:
        self._started = started
        self._facts = facts
        self._reply_id = started.turn_id.hex
        self._number = 0
        self._done: list[dict[str, Any]] = []
        self._text: str | None = None
        self._calls: dict[int, dict[str, Any]] = {}

    def encode(self, first: int, events: Sequence[Delta | TurnStarted | TurnEnded | str], *, after: int = -1) -> bytes:
        """Encode a batch whose first event has ``seq`` ``first``; events up to ``after`` are left out."""
        encoded = [(seq, self._encoded(event)) for seq, event in enumerate(events, first)]
        return b"".join([part for seq, part in encoded if seq > after])

    def _encoded(self, event: Delta | TurnStarted | TurnEnded | str) -> bytes:
        if isinstance(event, str):
            return self._said(event) if event else b""
        if isinstance(event, TurnStarted):
            begun = self._response(status="in_progress")
            return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)
        if isinstance(event, Delta):
            calls = (event.fields or {}).get("tool_calls") or ()
            return (self._said(event.content) if event.content else b"") + b"".join(map(self._called, calls))
        return self._ended(event)

    def _event(self, kind: str, **fields: Any) -> bytes:
        json = json_line({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), json)

    def _response(self, **fields: Any) -> dict[str, Any]:
        started = self._started
        return response_object(
            self._facts,
            turn_id=started.turn_id,
            conversation_id=started.conversation_id,
            created_at=started.created_at,
            **fields,
        )

    def _said(self, text: str) -> bytes:
        opening = b""
        place = {"item_id": f"msg_{self._reply_id}", "output_index": len(self._done), "content_index": 0}
        if self._text is None:
            self._text = ""
            item = {**text_item(self._reply_id, "", status="in_progress"), "content": []}
            opening = self._event("response.output_item.added", output_index=len(self._done), item=item)
            opening += self._event("response.content_part.added", **place, part=text_part(""))
        self._text += text
        return opening + self._event("response.output_text.delta", **place, delta=text, logprobs=[])

    def _text_done(self) -> bytes:
        if self._text is None:
            return b""
        text, self._text = self._text, None
        place = {"item_id": f"msg_{self._reply_id}", "output_index": len(self._done), "content_index": 0}
        item = text_item(self._reply_id, text)
        index = len(self._done)
        self._done.append(item)
        return (
            self._event("response.output_text.done", **place, text=text, logprobs=[])
            + self._event("response.content_part.done", **place, part=text_part(text))
            + self._event("response.output_item.done", output_index=index, item=item)
        )

    def _called(self, delta: Mapping[str, Any]) -> bytes:
        number = int(delta.get("index") or 0)
        function = delta.get("function") or {}
        arguments = function.get("arguments") or ""
        opening = b""
        if number not in self._calls:
            opening = self._text_done()
            index = len(self._done) + len(self._calls)
            name, call_id = function.get("name"), delta.get("id")
            item = call_item(self._reply_id, number, call_id, name, "", status="in_progress")
            self._calls[number] = {**item, "index": index}
            opening += self._event("response.output_item.added", output_index=index, item=item)
        call = self._calls[number]
        if not arguments:
            return opening
        call["arguments"] += arguments
        place = {"item_id": call["id"], "output_index": call["index"]}
        return opening + self._event("response.function_call_arguments.delta", **place, delta=arguments)

    def _calls_done(self) -> bytes:
        parts = []
        for call in self._calls.values():
            index = call["index"]
            item = {name: value for name, value in call.items() if name != "index"} | {"status": "completed"}
            place = {"item_id": item["id"], "output_index": index}
            done = {"name": item["name"], "arguments": item["arguments"]}
            parts.append(self._event("response.function_call_arguments.done", **place, **done))
            parts.append(self._event("response.output_item.done", output_index=index, item=item))
            self._done.append(item)
        return b"".join(parts)

    def _ended(self, ended: TurnEnded) -> bytes:
        closing = self._text_done() + self._calls_done()
        ending = ending_of(ended)
        whole = self._response(output=self._done, **ending)
        return closing + self._event(f"response.{ending['status']}", response=whole)
