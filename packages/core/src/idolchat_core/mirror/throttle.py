"""How often a conversation is copied: the larger it is, the seldomer.

A mirror takes whole documents, so that a copy costs the size of the conversation. Each conversation has an allowance of
bytes: it grows with time, by ``bytes_per_s``, and with what is said, eightfold, up to twice the size of the document; a
copy spends that size. A copy is made when that leaves enough for another one, or when the conversation has rested.
What is sent is thus bounded by twice the size, eight times the new bytes, and ``bytes_per_s``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from idolchat_core.mirror.tuning import MirrorTuning

__all__ = ["PER_NEW_BYTE", "ThrottleState", "due_at", "spent"]

PER_NEW_BYTE = 8


@dataclass(frozen=True, slots=True)
class ThrottleState:
    """What a mirror is known to hold of a conversation, and the allowance left at ``copied_at`` of the loop's clock.

    ``digest`` is None where what it holds was looked at and not sent.
    """

    digest: bytes | None
    size: int
    updated_at: datetime | None
    allowance: float
    copied_at: float


def due_at(held: ThrottleState | None, tuning: MirrorTuning, *, last_change: float, new_bytes: int) -> float:
    """Return when a changed conversation is to be copied, by the loop's clock."""
    if held is None or not held.size:  # an observer is sent nothing
        return last_change
    allowance = _grown(held, last_change, new_bytes, tuning.bytes_per_s)
    enough_for_two = last_change + (2 * held.size - allowance) / tuning.bytes_per_s
    enough_for_one = last_change + max(0.0, held.size - allowance) / tuning.bytes_per_s
    return min(enough_for_two, max(enough_for_one, last_change + tuning.rest_s))


def spent(held: ThrottleState | None, tuning: MirrorTuning, *, size: int, now: float, new_bytes: int) -> float:
    """Return what is left of the allowance after a copy of ``size`` bytes."""
    before = 2.0 * size if held is None or held.digest is None else _grown(held, now, new_bytes, tuning.bytes_per_s)
    return max(0.0, before - size)


def _grown(held: ThrottleState, now: float, new_bytes: int, bytes_per_s: float) -> float:
    grown = held.allowance + bytes_per_s * (now - held.copied_at) + PER_NEW_BYTE * new_bytes
    return min(2.0 * held.size, grown)
