"""A reply while it is put together from its deltas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from idolchat_core.events.json_values import MISSING, plain_json
from idolchat_core.events.tool_calls import ToolCalls
from idolchat_core.llm.contract import Delta

__all__ = ["ReplyAccumulator"]

_TEXTS = frozenset({"reasoning", "reasoning_content", "refusal"})
_LISTS = frozenset({"annotations", "images", "reasoning_details"})
_OBJECTS = {"audio": frozenset({"data", "transcript"}), "function_call": frozenset({"name", "arguments"})}
"""Fields that are objects, and which of their texts arrive in pieces (OpenAI API, chat completion chunks)."""


_KNOWN = _TEXTS | _LISTS | _OBJECTS.keys() | {"tool_calls"}


class ReplyAccumulator:
    """Adds deltas up: text is appended, tool calls are merged as the OpenAI API defines, lists are joined.

    Only the fields of a reply that belong to the provider are taken, each in its own type, and nothing that JSON
    cannot hold or that is nested too deep to be stored: whatever a provider sends, adding it does not raise.
    """

    __slots__ = ("_fields", "_text", "_tool_calls", "model")

    def __init__(self) -> None:
        self._text: list[str] = []
        self._fields: dict[str, Any] = {}
        self._tool_calls = ToolCalls()
        self.model: str | None = None

    @property
    def content(self) -> str:
        """The text so far."""
        if len(self._text) > 1:
            self._text = ["".join(self._text)]
        return self._text[0] if self._text else ""

    @property
    def fields(self) -> dict[str, Any]:
        """What the reply has besides its text: ``tool_calls``, ``reasoning``, ``refusal``, ``audio``, ..."""
        calls = self._tool_calls.complete()
        return self._fields | ({"tool_calls": calls} if calls else {})

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said and no tool called."""
        return not (any(self._text) or self._tool_calls or self._fields.keys() & {"audio", "images", "function_call"})

    def add(self, deltas: Sequence[Delta]) -> Sequence[Delta]:
        """Add the next deltas, and return them as readers are to see them: the same, unless something was wrong."""
        has_fields = False
        for content, fields, model, _ in deltas:
            if content:
                self._text.append(content)
            if model:
                self.model = model
            if fields:
                has_fields = True
        return [self._with_known_fields(delta) for delta in deltas] if has_fields else deltas

    def _with_known_fields(self, delta: Delta) -> Delta:
        if not delta.fields:
            return delta
        known = {}
        for name, given in delta.fields.items():
            value = self._taken(name, given)
            if value is not None or (given is None and name in _KNOWN):
                known[name] = value
        return delta if known == delta.fields else delta._replace(fields=known or None)

    def _taken(self, name: str, given: Any) -> Any:
        """Add a field, and return what was taken of it; None where it is not to be had."""
        if name == "tool_calls":
            return self._tool_calls.add(given)
        value = plain_json(given)
        if value is None or value is MISSING:
            return None
        if name in _TEXTS and isinstance(value, str):
            self._fields[name] = self._fields.get(name, "") + value
        elif name in _LISTS and isinstance(value, list):
            self._fields[name] = [*self._fields.get(name, ()), *value]
        elif name in _OBJECTS and isinstance(value, dict):
            self._fields[name] = _joined(self._fields.get(name, {}), value, texts=_OBJECTS[name])
        else:
            return None
        return value


def _joined(before: Mapping[str, Any], more: Mapping[str, Any], *, texts: frozenset[str]) -> dict[str, Any]:
    joined = dict(before)
    for name, value in more.items():
        both_text = isinstance(value, str) and isinstance(joined.get(name), str)
        joined[name] = joined[name] + value if name in texts and both_text else value
    return joined
