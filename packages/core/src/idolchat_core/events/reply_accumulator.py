"""A reply while it is put together from its deltas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from idolchat_core.events.json_values import MISSING, plain_json, plain_text
from idolchat_core.events.tool_calls import ToolCalls
from idolchat_core.llm.contract import Delta

__all__ = ["ReplyAccumulator"]

_TEXTS = frozenset({"reasoning", "reasoning_content", "refusal"})
_LISTS = frozenset({"annotations", "images", "reasoning_details"})
_OBJECTS = {"audio": frozenset({"data", "transcript"}), "function_call": frozenset({"name", "arguments"})}
"""Fields that are objects, and which of their texts arrive in pieces (OpenAI API, chat completion chunks)."""


_NOTHING_ELSE = (None, None, None)
_KNOWN = _TEXTS | _LISTS | _OBJECTS.keys() | {"tool_calls"}


class ReplyAccumulator:
    """Adds deltas up: text is appended, tool calls are merged as the OpenAI API defines, lists are joined.

    Only the fields of a reply that belong to the provider are taken, each in its own type, and nothing that JSON
    cannot hold or that is nested too deep to be stored: whatever a provider sends, adding it does not raise.
    """

    __slots__ = ("_fields", "_text", "_tool_calls", "completion_id", "model")

    def __init__(self) -> None:
        self._text: list[str] = []
        self._fields: dict[str, Any] = {}
        self._tool_calls = ToolCalls()
        self.model: str | None = None
        self.completion_id: str | None = None

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
        fields = {name: _whole(value) for name, value in self._fields.items()}
        return fields | ({"tool_calls": calls} if calls else {})

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said and no tool called."""
        return not (any(self._text) or self._tool_calls or self._fields.keys() & {"audio", "images", "function_call"})

    def add(self, deltas: Sequence[Delta]) -> Sequence[Delta | str]:
        """Add the next deltas, and return them as readers are to see them: what was wrong is left out.

        Of deltas of nothing but text, as most are, it returns the texts.
        """
        texts = [delta[0] for delta in deltas if type(delta) is Delta and delta[1:] == _NOTHING_ELSE]
        if len(texts) == len(deltas) and (text := _joined(texts)) is not None:
            if text:
                self._text.append(text)
            return texts
        deltas = [self._well_formed(delta) for delta in deltas]
        if text := "".join([delta.content for delta in deltas]):
            self._text.append(text)
        return deltas

    def _well_formed(self, delta: object) -> Delta:
        """Return a delta with what can be used of it, its fields added."""
        if not isinstance(delta, Delta):
            return Delta()
        content, fields, model, completion_id = cast("tuple[object, ...]", delta)  # a plugin may have made it
        used = Delta(
            plain_text(content) if isinstance(content, str) else _number(content),
            self._known(fields) if isinstance(fields, Mapping) else None,
            plain_text(model) if isinstance(model, str) else None,
            plain_text(completion_id) if isinstance(completion_id, str) else None,
        )
        self.model = used.model or self.model
        self.completion_id = used.completion_id or self.completion_id
        return used

    def _known(self, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        known = {}
        for name, given in fields.items():
            value = self._taken(name, given)
            if value is not None or (given is None and name in _KNOWN):
                known[name] = value
        return (fields if known == fields else known) or None

    def _taken(self, name: str, given: Any) -> Any:
        """Add a field, and return what was taken of it; None where it is not to be had."""
        if name == "tool_calls":
            return self._tool_calls.add(given)
        value = plain_json(given)
        if value is None or value is MISSING:
            return None
        if name in _TEXTS and isinstance(value, str):
            self._fields.setdefault(name, _Pieces()).append(value)
        elif name in _LISTS and isinstance(value, list):
            self._fields.setdefault(name, []).extend(value)
        elif name in _OBJECTS and isinstance(value, dict):
            _join(self._fields.setdefault(name, {}), value, texts=_OBJECTS[name])
        else:
            return None
        return value


def _joined(texts: Sequence[str]) -> str | None:
    """Join texts; None where one is no text, or has half a surrogate pair."""
    try:
        text = "".join(texts)
        text.encode()
    except (TypeError, UnicodeEncodeError):
        return None
    return text


def _number(content: object) -> str:
    """Return the text of a number, which some servers send for one; nothing of what is no text either."""
    return str(content) if isinstance(content, int | float) and not isinstance(content, bool) else ""


class _Pieces(list[str]):
    """A text that still grows: to join it with each piece would take time that grows with the square of its length."""


def _join(before: dict[str, Any], more: Mapping[str, Any], *, texts: frozenset[str]) -> None:
    for name, value in more.items():
        if name not in texts or not isinstance(value, str):
            before[name] = value
        elif isinstance(known := before.get(name), _Pieces):
            known.append(value)
        else:
            before[name] = _Pieces([value])


def _whole(value: Any) -> Any:
    """Return a field as a message holds it, which does not change with what is added later."""
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return list(value) if isinstance(value, list) else value
