"""Rolls that come out the same whenever the same turn is scanned again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Roll", "SeededRolls", "fraction"]

Roll = Callable[[str, str, str], float]
"""``roll(book, entry, purpose)``: a number from 0 up to but without 1."""

_SCALE = 2.0**-53


def fraction(*parts: str) -> float:
    """Make a number from 0 up to but without 1 out of texts: the first 53 bits of their SHA-256."""
    seed = b"".join(len(encoded := part.encode("utf-8", "surrogatepass")).to_bytes(8) + encoded for part in parts)
    return (int.from_bytes(hashlib.sha256(seed).digest()[:8]) >> 11) * _SCALE


@dataclass(frozen=True, slots=True, kw_only=True)
class SeededRolls:
    """Rolls of a turn: a retry, a regenerate and an explanation see the same ones.

    ``turn_id`` is the id of the user's message that the turn answers, or of the greeting. With scope
    ``conversation`` they are the same for all turns.
    """

    conversation_id: str
    turn_id: str
    scope: Literal["turn", "conversation"] = "turn"

    def __call__(self, book: str, entry: str, purpose: str) -> float:
        """Roll for an entry of a book."""
        return fraction(self.conversation_id, self.turn_id if self.scope == "turn" else "", book, entry, purpose)
