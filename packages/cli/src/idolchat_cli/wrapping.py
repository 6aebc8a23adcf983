"""Break lines between words while a text streams in."""

from __future__ import annotations

import re

from rich.cells import cell_len

__all__ = ["WrappedText"]

_CJK = "\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60"
_PIECES = re.compile(rf"\n|[^\S\n]+|[{_CJK}]|[^\s{_CJK}]+")
"""A line end, blanks, one ideograph, kana or hangul syllable (a line may break after any), or a word."""


class WrappedText:
    """Fits a text that comes in pieces into lines of ``width`` cells.

    A word is held back until it is whole, or half a line long: some languages put no blanks between words.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._column = 0
        self._blanks = ""
        self._word = ""

    def feed(self, piece: str) -> str:
        """Return what can be shown by now."""
        pieces = _PIECES.findall(self._word + piece)
        is_open = bool(pieces) and not pieces[-1].isspace() and len(pieces[-1]) <= self._width // 2
        self._word = pieces.pop() if is_open else ""
        return "".join(map(self._placed, pieces))

    def end(self) -> str:
        """Return what was held back."""
        word, self._word = self._word, ""
        return self._placed(word) if word else ""

    def _placed(self, piece: str) -> str:
        if piece == "\n":
            self._column, self._blanks = 0, ""
            return piece
        if piece.isspace():
            self._blanks += piece.replace("\t", "    ")
            return ""
        blanks, self._blanks = self._blanks, ""
        needed = len(blanks) + cell_len(piece)
        if self._column and self._column + needed > self._width:
            blanks, self._column = "\n", 0
            needed = cell_len(piece)
        end = self._column + needed
        self._column = end if end <= self._width else end % self._width  # the terminal breaks a longer word
        return blanks + piece
