"""The form that successive events of a stream share: everything but the text."""

from __future__ import annotations

import re
from collections.abc import Callable

import orjson

__all__ = ["ChunkTemplate"]

MAX_USELESS_PATTERNS = 8
"""Learning stops after so many templates in a row that matched nothing: some servers change the form each time."""
PROBE = "\U0001f3b6 probe"
_CONTENT = re.compile(rb'"content":\s*("(?:[^"\\]++|\\.)*+")')


class ChunkTemplate:
    """Finds the text of an event that equals the learnt one in all but its text.

    ``learn`` makes sure by parsing that what stands between head and tail, as long as it is one JSON string, is the
    text and nothing else. ``text_in`` then parses that string alone; its outcome is that of parsing the whole event.
    """

    __slots__ = ("_head", "_is_of_use", "_start", "_stop", "_tail", "_useless_patterns")

    def __init__(self) -> None:
        self._head = self._tail = b""
        self._start = self._stop = 0
        self._is_of_use = False
        self._useless_patterns = 0

    def text_in(self, event: bytes) -> str | None:
        """Return the text of an event (field name and line ends included), or None when it has to be parsed whole."""
        if not (event.startswith(self._head) and event.endswith(self._tail)):
            return None
        try:
            text: str = orjson.loads(event[self._start : self._stop])
        except orjson.JSONDecodeError:
            return None
        self._is_of_use = True
        return text

    def learn(self, event: bytes, text_of: Callable[[bytes], str | None]) -> None:
        """Learn the form of an event, if ``text_of`` confirms where its text is."""
        if self._useless_patterns == MAX_USELESS_PATTERNS:
            return
        self._useless_patterns = 0 if self._is_of_use else self._useless_patterns + 1
        self._is_of_use = False
        found = _CONTENT.search(event)
        if found is None:
            return
        start, stop = found.span(1)
        if text_of(event[:start] + orjson.dumps(PROBE) + event[stop:]) == PROBE:
            self._head, self._tail = event[: start + 1], event[stop - 1 :]
            self._start, self._stop = start, stop - len(event)
