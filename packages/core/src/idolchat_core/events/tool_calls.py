"""The tool calls of a reply, merged from pieces as the OpenAI API defines, whatever the pieces lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic_core import to_json

from idolchat_core.events.json_values import MISSING, plain_json, plain_text

__all__ = ["ToolCalls"]

MAX_CALLS = 1024
"""In one reply."""


class _Call:
    """One call while its arguments arrive; ``has_own_id`` is false where we had to name it."""

    __slots__ = ("arguments", "has_own_id", "id", "index", "more", "name", "type")

    def __init__(self, index: int, call_id: str | None) -> None:
        self.index = index
        self.has_own_id = call_id is not None
        self.id = call_id or f"call_{uuid4().hex[:24]}"
        self.type = "function"
        self.name = ""
        self.arguments: list[str] = []
        self.more: dict[str, Any] = {}

    def complete(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"type": self.type, "id": self.id, "function": function, **self.more}


class ToolCalls:
    """Calls by index.

    A piece belongs to the call of its ``index``; another id at an index that has one begins another call, as the
    parallel calls of Gemini and others do, which all say 0. A piece without an index belongs to the call of its id,
    else to the last. A call without an id of its own gets one of ours, and one whose index is taken the next free.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def complete(self) -> list[dict[str, Any]]:
        """List the calls so far, as a message holds them."""
        return [call.complete() for call in sorted(self._calls, key=lambda call: call.index)]

    def add(self, pieces: Any) -> list[dict[str, Any]] | None:
        """Add the pieces of a delta's ``tool_calls``, and return them as readers are to see them; None for none."""
        told = (
            [self._added(piece) for piece in pieces if isinstance(piece, Mapping)] if isinstance(pieces, list) else []
        )
        return [piece for piece in told if piece is not None] or None

    def _added(self, piece: Mapping[str, Any]) -> dict[str, Any] | None:
        piece, given = _with_plain_texts(piece), piece.get("function")
        function = _with_plain_texts(given) if isinstance(given, Mapping) else {}
        name, arguments = function.get("name"), _text_of(function.get("arguments"))
        call, is_new = self._call_of(piece, has_name=isinstance(name, str) and bool(name))
        if call is None:
            return None
        if isinstance(piece.get("type"), str) and piece["type"]:
            call.type = piece["type"]
        if isinstance(name, str) and name:
            call.name = name
        call.arguments.append(arguments or "")
        extra = plain_json(piece.get("extra_content"))  # Gemini's thought signatures, which it wants back
        if isinstance(extra, dict):
            call.more["extra_content"] = extra
        return _told(piece, call, is_new=is_new, function=function, arguments=arguments)

    def _call_of(self, piece: Mapping[str, Any], *, has_name: bool) -> tuple[_Call | None, bool]:
        index, call_id = _index_of(piece), piece.get("id")
        named = call_id if isinstance(call_id, str) and call_id else None
        found = self._by_index.get(index) if index is not None else self._without_index(named, has_name=has_name)
        if found is not None and (named is None or named == found.id or not found.has_own_id):
            return found, False
        if len(self._calls) == MAX_CALLS:
            return None, False
        return self._begun(index, named), True

    def _begun(self, index: int | None, call_id: str | None) -> _Call:
        indexes, ids = {call.index for call in self._calls}, {call.id for call in self._calls}
        free = index if index is not None and index not in indexes else max(indexes, default=-1) + 1
        call = _Call(free, None if call_id in ids else call_id)
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call

    def _without_index(self, call_id: str | None, *, has_name: bool) -> _Call | None:
        if call_id is not None:
            return next((call for call in self._calls if call.id == call_id), None)
        return self._calls[-1] if self._calls and not has_name else None


def _with_plain_texts(piece: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain_text(value) if isinstance(value, str) else value for name, value in piece.items()}


def _index_of(piece: Mapping[str, Any]) -> int | None:
    index = piece.get("index")
    is_index = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < MAX_CALLS
    return index if is_index else None


def _text_of(arguments: Any) -> str | None:
    """Return arguments as JSON text, which some servers send as the object itself; None for none."""
    if arguments is None or isinstance(arguments, str):
        return arguments
    value = plain_json(arguments)
    return "" if value is MISSING else to_json(value).decode()


def _told(
    piece: Mapping[str, Any], call: _Call, *, is_new: bool, function: Mapping[str, Any], arguments: str | None
) -> dict[str, Any]:
    told: dict[str, Any] = {"index": call.index}
    if is_new or piece.get("id"):
        told["id"] = call.id
    if isinstance(piece.get("type"), str):
        told["type"] = piece["type"]
    said: dict[str, Any] = {"name": function["name"]} if isinstance(function.get("name"), str) else {}
    if arguments is not None:
        said["arguments"] = arguments
    return told | ({"function": said} if said else {}) | call.more
