"""Notices a reply that says the same again and again, which small models never leave of themselves."""

from __future__ import annotations

__all__ = ["RepetitionDetector"]

WINDOW_CHARACTERS = 480
"""How much of the end of a reply must be one thing over and over."""
LONGEST_PERIOD_CHARACTERS = 120
"""The longest thing that is noticed, a line or a verse: four times in the window."""
LOOKS_EVERY_CHARACTERS = 40


class RepetitionDetector:
    """Takes the pieces of one reply; its cost for each does not grow with the reply."""

    def __init__(self) -> None:
        self._tail = ""
        self._unseen = 0

    def loops(self, piece: str) -> bool:
        """Add a piece, and return whether the reply ends with one text at least four times over."""
        self._unseen += len(piece)
        self._tail = (self._tail + piece)[-WINDOW_CHARACTERS:]
        if self._unseen < LOOKS_EVERY_CHARACTERS or len(self._tail) < WINDOW_CHARACTERS:
            return False
        self._unseen = 0
        return any(self._repeats_every(period) for period in range(1, LONGEST_PERIOD_CHARACTERS + 1))

    def _repeats_every(self, period: int) -> bool:
        return self._tail.endswith(self._tail[:-period])
