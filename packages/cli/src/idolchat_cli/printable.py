"""Make text from elsewhere harmless to a terminal: no escape sequences, no control characters."""

from __future__ import annotations

import re
from enum import Enum, auto

__all__ = ["UNPRINTABLE", "PrintableText", "printable"]

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""All of C0 but tab and newline, DEL, C1, and what turns the direction of the text that follows."""


class _State(Enum):
    TEXT = auto()
    ESCAPE = auto()
    CONTROL = auto()
    STRING = auto()


_OPENERS = {"[": _State.CONTROL} | dict.fromkeys("]PX^_", _State.STRING)
_C1_OPENERS = {"\x1b": _State.ESCAPE, "\x9b": _State.CONTROL} | dict.fromkeys("\x90\x98\x9d\x9e\x9f", _State.STRING)


class PrintableText:
    """Filters a text that comes in pieces, which may cut a sequence anywhere (ECMA-48, sections 5.3 to 5.6)."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = _State.TEXT

    def feed(self, piece: str) -> str:
        """Return what may be shown of the next piece."""
        if self._state is _State.TEXT and not UNPRINTABLE.search(piece):
            return piece
        return "".join(filter(self._shows, piece))

    def _shows(self, character: str) -> bool:
        match self._state:
            case _State.ESCAPE if character in _OPENERS:
                self._state = _OPENERS[character]
                return False
            case _State.ESCAPE:
                return self._ends_sequence(character, inner=" /", final="0~")
            case _State.CONTROL:
                return self._ends_sequence(character, inner=" ?", final="@~")
            case _State.STRING if character not in "\x07\x1b\x9c\n":
                return False
            case _State.STRING if character in "\x07\x9c":
                self._state = _State.TEXT
                return False
            case _:  # a string without an end hides no more than its line
                self._state = _C1_OPENERS.get(character, _State.TEXT)
                return not UNPRINTABLE.match(character)

    def _ends_sequence(self, character: str, *, inner: str, final: str) -> bool:
        if inner[0] <= character <= inner[1]:
            return False
        self._state = _State.TEXT
        return not final[0] <= character <= final[1] and self._shows(character)


def printable(text: str) -> str:
    """Return what may be shown of a whole text."""
    return PrintableText().feed(text)
