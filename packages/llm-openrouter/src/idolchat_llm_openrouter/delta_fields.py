"""The fields of a delta or message that are a provider's to say.

A reply is stored beside fields of our own (``id``, ``parent_id``, ``turn_id``, ...), so a field is taken only if it is
known here, and only with the type that it has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any

from idolchat_llm_openrouter.json_parsing import is_deeper

__all__ = ["PLAIN_FIELDS", "Malformed", "content_of", "fields_of", "json_text"]

PLAIN_FIELDS = frozenset({"role", "content"})
MAX_DEPTH = 32


class Malformed(Exception):
    """A part of a reply is not what the API describes; the text names the place."""


def content_of(said: Mapping[str, Any]) -> tuple[str, str]:
    """Read ``content``, which may be a text, a number or a list of parts, into text and reasoning.

    Raises ``Malformed``.
    """
    content = said.get("content")
    if type(content) is str:
        return content, ""
    if is_deeper(content, MAX_DEPTH):
        raise Malformed("content")
    texts: list[str] = []
    thoughts: list[str] = []
    _sort(content, texts, thoughts)
    return "".join(texts), "".join(thoughts)


def fields_of(said: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Collect the known fields beside content and tool calls, and the names of those that have a wrong type."""
    fields: dict[str, Any] = {}
    unusable = []
    for name, value in said.items():
        read = READERS.get(name)
        if read is None or value is None:
            continue
        usable = read(value)
        if usable:
            fields[name] = usable
        elif usable is None:
            unusable.append(name)
    return fields, unusable


def json_text(value: object) -> str:
    """Return arguments of a call as JSON text, as the API has them; some servers send them parsed."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _sort(content: object, texts: list[str], thoughts: list[str]) -> None:
    """Append the texts of some content; parts that think are marked as Mistral (``thinking``) or OpenAI mark them."""
    if isinstance(content, str):
        texts.append(content)
    elif isinstance(content, bool):
        raise Malformed("content")
    elif isinstance(content, int | float):
        texts.append(str(content))
    elif isinstance(content, list):
        for part in content:
            _sort(part, texts, thoughts)
    elif isinstance(content, dict):
        _sort_part(content, texts, thoughts)
    elif content is not None:
        raise Malformed("content")


def _sort_part(part: Mapping[str, Any], texts: list[str], thoughts: list[str]) -> None:
    for name in ("thinking", "reasoning"):
        if name in part:
            _sort_within(part[name], thoughts)
            return
    if "text" in part:
        _sort_within(part["text"], thoughts if part.get("type") in ("thinking", "reasoning") else texts)
    elif "refusal" in part:
        _sort_within(part["refusal"], texts)
    elif not isinstance(part.get("type"), str):  # a part of another kind, such as a picture, is no text
        raise Malformed("content")


def _sort_within(value: object, texts: list[str]) -> None:
    if isinstance(value, dict) and not isinstance(value.get("text"), str):
        raise Malformed("content")
    _sort(value, texts, texts)


def _text(value: object) -> str | None:
    texts: list[str] = []
    if is_deeper(value, MAX_DEPTH):
        return None
    try:
        _sort(value, texts, texts)
    except Malformed:
        return None
    return "".join(texts)


def _list(value: object, kinds: type | UnionType = dict | str) -> list[Any] | None:
    items = value if isinstance(value, list) else [value]
    usable = [item for item in items if isinstance(item, kinds) and not is_deeper(item, MAX_DEPTH)]
    return usable if usable or not items else None


def _objects(value: object) -> list[Any] | None:
    return _list(value, dict)


def _function(value: object) -> dict[str, str] | None:
    """Read the older ``function_call``; its pieces have a name, a part of the arguments, or both."""
    if not isinstance(value, dict) or is_deeper(value, MAX_DEPTH):
        return None
    name = {"name": value["name"]} if isinstance(value.get("name"), str) else {}
    arguments = {"arguments": json_text(value["arguments"])} if "arguments" in value else {}
    return name | arguments


def _mapping(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) and not is_deeper(value, MAX_DEPTH) else None


READERS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(("reasoning", "reasoning_content", "refusal"), _text),
    **dict.fromkeys(("reasoning_details", "thinking_blocks", "annotations", "images"), _objects),
    "citations": _list,
    **dict.fromkeys(("audio", "extra_content", "provider_specific_fields"), _mapping),
    "function_call": _function,
}
