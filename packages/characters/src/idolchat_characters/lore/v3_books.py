"""Reads entries of character books by the Character Card V2 and V3 specifications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idolchat_characters.lore.books import Problem
from idolchat_characters.lore.coercion import number, text, truth, words
from idolchat_characters.lore.decorators import v3_decorators
from idolchat_characters.lore.entries import Dialect, Entry, Position
from idolchat_characters.lore.world_files import converted, world_entry

__all__ = ["v3_entry"]


def v3_entry(raw: Mapping[str, Any], *, book: str, uid: str, digest: str) -> tuple[Entry, tuple[Problem, ...]]:
    """Read an entry; where it has SillyTavern's extensions too, the fields of the specification go before them."""
    decorated, unknown, content = v3_decorators(text(raw.get("content")))
    fields = dict(decorated)
    place = fields.pop("place", None)
    entry = world_entry(converted(raw), raw, book=book, uid=uid, digest=digest)
    use_regex = truth(raw.get("use_regex"), default=False)
    entry = replace(
        entry,
        dialect=Dialect.V3,
        name=text(raw.get("name")) or text(raw.get("comment")),
        content=content,
        forced=None,
        secondary_keys=() if use_regex else words(raw.get("secondary_keys")),
        case_sensitive=truth(raw.get("case_sensitive"), default=entry.case_sensitive),
        use_regex=use_regex,
        order=number(raw.get("insertion_order"), 100),
        priority=_priority(raw),
        position=_position(raw.get("position"), entry.position),
    )
    entry = replace(entry, **fields)
    if place is not None:
        entry = replace(entry, position=place)
    problems = tuple(
        Problem(
            code="decorator_unknown", entry=uid, text=f"the decorator @@{name[:40]} is not understood: it is ignored"
        )
        for name in unknown
    )
    return entry, problems


def _priority(raw: Mapping[str, Any]) -> float | None:
    value = raw.get("priority")
    return None if value is None else number(value, 0)


def _position(value: Any, by_extensions: Position | None) -> Position | None:
    named = {"before_char": Position.BEFORE_CHARACTER, "after_char": Position.AFTER_CHARACTER}
    return named.get(value, by_extensions) if isinstance(value, str) else by_extensions
