"""Requests that are sent again while their turn still runs: they join it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol

__all__ = ["Attachments"]

WITHIN_S = 60.0
MAX_KNOWN = 10_000


class Running(Protocol):
    """A turn, as far as it matters here."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""


class Attachments[T: Running]:
    """The turns that were begun in the last minute, by what asked for them."""

    def __init__(self) -> None:
        self._turns: OrderedDict[Hashable, tuple[T, float]] = OrderedDict()

    def find(self, request: Hashable) -> T | None:
        """Find the running turn that the same request has begun."""
        turn, begun_at = self._turns.get(request, (None, 0.0))
        if turn is None or turn.is_over or time.monotonic() - begun_at > WITHIN_S:
            return None
        return turn

    def add(self, request: Hashable, turn: T) -> None:
        """Remember what a request has begun."""
        self._turns[request] = turn, time.monotonic()
        self._turns.move_to_end(request)
        while self._turns:
            oldest, (turn, begun_at) = next(iter(self._turns.items()))
            if not (turn.is_over or len(self._turns) > MAX_KNOWN or time.monotonic() - begun_at > WITHIN_S):
                break
            del self._turns[oldest]
