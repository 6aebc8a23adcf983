"""Converts the pieces of tool calls to one form, whatever a server calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import orjson

from idolchat_llm_openrouter.delta_fields import MAX_DEPTH, Malformed, json_text
from idolchat_llm_openrouter.json_parsing import is_deeper

__all__ = ["ToolCallReader"]


MAX_CALLS = 1024
"""More calls than any reply has; each takes memory."""


class _Call:
    """A call that was begun: its place in the reply, and what tells whether the next piece belongs to it."""

    __slots__ = ("id", "index", "is_ours", "is_whole", "name")

    def __init__(self, index: int, call_id: str, name: str, *, is_ours: bool, is_whole: bool) -> None:
        self.index = index
        self.id = call_id
        self.name = name
        self.is_ours = is_ours
        self.is_whole = is_whole


class ToolCallReader:
    """Numbers the calls of one reply from 0 in their order, and gives those an id that have none.

    A piece belongs to the call of its ``id``, else to the last of its ``index``, else to the last of all. Another id
    begins another call though its index be the same, as does a whole call without an id behind a whole one.
    ``arguments`` are JSON text in the end, as the API has them.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def read(self, given: object) -> list[dict[str, Any]]:
        """Read the ``tool_calls`` of a delta or a message. Raises ``Malformed``."""
        pieces = [given] if isinstance(given, dict) else given
        if not isinstance(pieces, list):
            raise Malformed("tool_calls")
        return [read for piece in pieces if piece is not None and (read := self._piece(piece)) is not None]

    def _piece(self, piece: Any) -> dict[str, Any] | None:
        if not isinstance(piece, dict) or is_deeper(piece, MAX_DEPTH):
            raise Malformed("tool_calls")
        function = piece.get("function") or {}
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str | None):
            raise Malformed("tool_calls.function")
        arguments = json_text(function.get("arguments"))
        if not (piece.get("id") or function or self._calls or "custom" in piece):
            return None  # it begins nothing
        call, is_new = self._call_of(piece, name or "", arguments)
        kind = piece.get("type") if isinstance(piece.get("type"), str) else "function"
        begins = {"id": call.id, "type": kind} if is_new else {}
        named = {"name": name or ""} if is_new or name else {}
        rest = {key: value for key, value in piece.items() if key not in ("index", "id", "type", "function")}
        if function or "custom" not in piece:
            rest["function"] = {**function, **named, "arguments": arguments}
            if not named:
                rest["function"].pop("name", None)
        return {"index": call.index, **begins, **rest}

    def _call_of(self, piece: Mapping[str, Any], name: str, arguments: str) -> tuple[_Call, bool]:
        call_id, index = piece.get("id"), piece.get("index")
        call_id = str(call_id) if isinstance(call_id, str | int) and call_id != "" else None
        index = index if type(index) is int else None
        found = self._found(call_id, index, name, arguments)
        if found is not None:
            return found, False
        if len(self._calls) == MAX_CALLS:
            raise Malformed("tool_calls, which are too many")
        number, is_whole = len(self._calls), arguments.endswith("}") and _is_object(arguments)
        call = _Call(number, call_id or f"call_{uuid4().hex}", name, is_ours=call_id is None, is_whole=is_whole)
        self._calls.append(call)
        self._by_id[call.id] = call
        if index is not None:
            self._by_index[index] = call
        return call, True

    def _found(self, call_id: str | None, index: int | None, name: str, arguments: str) -> _Call | None:
        if call_id is not None and call_id in self._by_id:
            return self._by_id[call_id]
        newest = self._calls[-1] if self._calls else None
        last = newest if index is None else self._by_index.get(index)
        if last is None:
            return None
        if call_id is not None:  # an id that comes late belongs to the call which had none
            return last if last.is_ours and not name else None
        is_another = name and last.name and (name != last.name or (last.is_whole and arguments))
        return None if is_another else last


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(orjson.loads(arguments), dict)
    except orjson.JSONDecodeError:
        return False
