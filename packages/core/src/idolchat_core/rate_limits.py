"""How much of a limit is used: what limits say when they are asked, and leaky buckets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

__all__ = ["LeakyBuckets", "Quota"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A limit as it stands: ``remaining`` of ``limit`` units in ``window_s``, all of them again after ``reset_s``.

    ``unit`` is ``requests``, ``tokens`` or ``cost``; a limit in cost is in the provider's currency.
    """

    name: str
    unit: str
    limit: float
    window_s: float
    remaining: float
    reset_s: float


class LeakyBuckets:
    """One bucket for each key: it holds ``limit`` units, of which ``window_s`` seconds let all flow off.

    At most ``max_keys`` are kept; the ones not used for longest go first, which forgives what they held.
    """

    def __init__(self, name: str, *, unit: str, limit: float, window_s: float = 60.0, max_keys: int = 100_000) -> None:
        self.name = name
        self.unit = unit
        self.limit = limit
        self.window_s = window_s
        self._max_keys = max_keys
        self._empty_at: OrderedDict[Hashable, float] = OrderedDict()

    def held(self, key: Hashable, now: float) -> float:
        """Return how much a bucket holds at a time of some steady clock."""
        return max(0.0, self._empty_at.get(key, now) - now) * self.limit / self.window_s

    def add(self, key: Hashable, amount: float, now: float) -> None:
        """Add an amount, whether there is room or not."""
        start = max(now, self._empty_at.get(key, now))
        self._empty_at[key] = start + amount * self.window_s / self.limit
        self._empty_at.move_to_end(key)
        if len(self._empty_at) > self._max_keys:
            self._empty_at.popitem(last=False)

    def room_in_s(self, key: Hashable, amount: float, now: float) -> float:
        """Return in how many seconds there is room for so much; 0 when there is."""
        over = self.held(key, now) + amount - self.limit
        return max(0.0, over) * self.window_s / self.limit

    def quota(self, key: Hashable, now: float) -> Quota:
        """Return how a bucket stands."""
        held = self.held(key, now)
        return Quota(
            name=self.name,
            unit=self.unit,
            limit=self.limit,
            window_s=self.window_s,
            remaining=max(0.0, self.limit - held),
            reset_s=held * self.window_s / self.limit,
        )
