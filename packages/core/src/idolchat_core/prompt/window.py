"""How much of the history a prompt holds: cut in blocks, so that the beginning stays the same for many turns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import accumulate

__all__ = ["choose_start", "predict_start"]

MOST_KEPT, LEAST_KEPT = 0.6, 0.25
MOST_KEPT_AS_WISHED = 0.75
NEAR = 0.85
"""Of what the history may take: when it takes more, the next cut is near."""
TURNS_BETWEEN_CUTS = 30
"""As estimated from the last turns; longer ones to come make it fewer, some 20 where lengths vary widely."""


def choose_start(
    sizes: Sequence[float],
    starts: Sequence[int],
    *,
    available: float,
    current: int | None,
    wished: Collection[int] = (),
) -> int | None:
    """Choose which message the history begins with in a prompt.

    ``sizes`` are tokens per message, ``starts`` the ascending positions where a prompt may begin, ``current`` where the
    last prompt began, None if not known. It stays there as long as that fits; then it moves on so far that some
    turns can follow before it must move again, to the first of ``wished`` that leaves room for some. None when not even
    the last start fits.
    """
    if not sizes:
        return 0 if available >= 0 else None
    after = list(accumulate(reversed(sizes), initial=0.0))[::-1]
    if current is not None and after[current] <= available:
        return current
    later = [start for start in starts if after[start] <= available and start >= (current or 0)]
    if not later:
        return None
    for start in later:
        if start in wished and after[start] <= MOST_KEPT_AS_WISHED * available:
            return start
    keep = _kept(after, starts, available)
    return next((start for start in later if after[start] <= keep), later[-1])


def predict_start(sizes: Sequence[float], starts: Sequence[int], *, available: float, current: int) -> int | None:
    """Predict where the next cut will let the history begin; None while that is far, or where nothing can be cut."""
    if sum(sizes[current:]) < NEAR * available:
        return None
    after = list(accumulate(reversed(sizes), initial=0.0))[::-1]
    later = [start for start in starts if start > current]
    if not later:
        return None
    until_then = max(0.0, available - after[current])
    keep = _kept(after, starts, available) - until_then
    return next((start for start in later if after[start] <= keep), later[-1])


def _kept(after: Sequence[float], starts: Sequence[int], available: float) -> float:
    """Return how many tokens of the history a cut leaves."""
    recent = starts[-20:]
    turn = after[recent[0]] / len(recent)
    return min(max(available - TURNS_BETWEEN_CUTS * turn, LEAST_KEPT * available), MOST_KEPT * available)
