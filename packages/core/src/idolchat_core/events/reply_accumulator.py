"""A reply while it is put together from its deltas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from idolchat_core.llm.contract import Delta

__all__ = ["ReplyAccumulator"]


class ReplyAccumulator:
    """Adds deltas up: text is appended, tool calls are merged by index as the OpenAI API defines, lists are joined."""

    __slots__ = ("_fields", "_text", "_tool_calls", "model")

    def __init__(self) -> None:
        self._text: list[str] = []
        self._fields: dict[str, Any] = {}
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self.model: str | None = None

    @property
    def content(self) -> str:
        """Give the text so far."""
        if len(self._text) > 1:
            self._text = ["".join(self._text)]
        return self._text[0] if self._text else ""

    @property
    def fields(self) -> dict[str, Any]:
        """Give what else the reply has: ``tool_calls``, ``reasoning``, ``reasoning_details``, ``refusal``."""
        calls = [self._tool_calls[index] for index in sorted(self._tool_calls)]
        return self._fields | ({"tool_calls": calls} if calls else {})

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was said and no tool called."""
        return not (any(self._text) or self._tool_calls)

    def add(self, deltas: Iterable[Delta]) -> None:
        """Take the next deltas."""
        for content, fields, model, _ in deltas:
            if content:
                self._text.append(content)
            if model:
                self.model = model
            if fields:
                for name, value in fields.items():
                    self._add_field(name, value)

    def _add_field(self, name: str, value: Any) -> None:
        if name == "tool_calls":
            for call in value or ():
                self._add_tool_call(call)
        elif isinstance(value, str) and isinstance(self._fields.get(name), str):
            self._fields[name] += value
        elif isinstance(value, list):
            self._fields[name] = [*self._fields.get(name, ()), *value]
        elif value is not None:
            self._fields[name] = value

    def _add_tool_call(self, piece: Mapping[str, Any]) -> None:
        call = self._tool_calls.setdefault(piece.get("index", len(self._tool_calls)), {"type": "function"})
        function = call.setdefault("function", {"name": "", "arguments": ""})
        if piece.get("id"):
            call["id"] = piece["id"]
        if piece.get("type"):
            call["type"] = piece["type"]
        said = piece.get("function") or {}
        function["name"] = said.get("name") or function["name"]
        function["arguments"] += said.get("arguments") or ""
