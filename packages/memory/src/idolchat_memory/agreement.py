"""Of which conversations that go on everything is known to be stored as it is indexed, without reading any of it."""

from __future__ import annotations

from collections import OrderedDict
from time import monotonic
from uuid import UUID

__all__ = ["Agreement"]

_MAX_KEPT = 1000
_NEVER = float("-inf")


class Agreement:
    """When conversations were indexed here last, and since when a reading of their branch is known.

    What was indexed after its branch was read is stored until the branch is read again: turns only add to it. Where
    another server indexes, nothing is known.
    """

    def __init__(self) -> None:
        self._indexed_at: OrderedDict[UUID, float] = OrderedDict()
        self._read: OrderedDict[UUID, tuple[int, float]] = OrderedDict()

    def indexed(self, conversation_id: UUID, *, since: float) -> None:
        """Record that a conversation is indexed as it was stored after ``since``, of the monotonic clock."""
        _keep(self._indexed_at, conversation_id, since)

    def holds(self, conversation_id: UUID, reading: int) -> bool:
        """Whether all that is indexed of a conversation is stored, given the reading of its branch that holds now."""
        known, read_at = self._read.get(conversation_id, (None, _NEVER))
        if known != reading:
            _keep(self._read, conversation_id, (reading, monotonic()))
            return False
        return self._indexed_at.get(conversation_id, _NEVER) > read_at


def _keep[T](kept: OrderedDict[UUID, T], conversation_id: UUID, value: T) -> None:
    kept[conversation_id] = value
    kept.move_to_end(conversation_id)
    if len(kept) > _MAX_KEPT:
        kept.popitem(last=False)
