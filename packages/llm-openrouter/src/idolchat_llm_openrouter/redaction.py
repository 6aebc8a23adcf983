"""Keeps keys and conversations out of errors that quote a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Redactor"]

MAX_QUOTED = 300
SHORTEST_TEXT = 4
WINDOW = 16
STEP = 4  # so that any 19 characters in common are found


class Redactor:
    """Decides whether an error may quote a server; errors end up in logs and on screens."""

    def __init__(self, key: str | None, messages: Sequence[Mapping[str, Any]] = ()) -> None:
        self._key = key
        self._messages = messages

    def quoted(self, words: object) -> str | None:
        """Return the words on one line of at most 300 characters; None if they hold the key or a part of a message."""
        if not isinstance(words, str):
            return None
        line = " ".join(words[: 8 * MAX_QUOTED].split())[:MAX_QUOTED]
        if not line.isprintable() or (self._key and self._key in words):
            return None
        if any(_repeats(line, text) for text in _strings(self._messages)):
            return None
        return line or None


def _repeats(line: str, text: str) -> bool:
    text = " ".join(text.split())
    if len(text) < SHORTEST_TEXT:
        return False
    if text in line:
        return True
    return any(line[at : at + WINDOW] in text for at in range(0, len(line) - WINDOW + 1, STEP))


def _strings(value: object) -> Iterator[str]:
    """Find all text in messages, except roles and types, which errors may name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in ("role", "type"):
                yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)
