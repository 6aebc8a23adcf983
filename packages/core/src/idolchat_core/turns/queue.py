"""One turn at a time in each conversation, the others waiting in the order they came."""

from __future__ import annotations

import asyncio
from typing import Protocol
from uuid import UUID

from idolchat_core.errors import ConversationBusy, QueueFull
from idolchat_core.turns.request import OnBusy

__all__ = ["ConversationQueue"]

BUSY_RETRY_S = 1.0


class QueuedTurn(Protocol):
    """What can stand in a lane."""

    @property
    def conversation_id(self) -> UUID:
        """Which lane."""


class ConversationQueue[T: QueuedTurn]:
    """The turns of every conversation that has any: the first of each is running."""

    def __init__(self, *, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._queue: dict[UUID, list[tuple[T, asyncio.Future[None] | None]]] = {}

    @property
    def waiting(self) -> int:
        """Count those that are not the first of their lane."""
        return sum(map(len, self._queue.values())) - len(self._queue)

    def turns_of(self, conversation_id: UUID) -> list[T]:
        """List the turns of a conversation, the running one first."""
        return [turn for turn, _ in self._queue.get(conversation_id, ())]

    def join(self, turn: T, on_busy: OnBusy) -> asyncio.Future[None] | None:
        """Take a place; None when it is the first, else what to wait for.

        Raises ``ConversationBusy`` where nobody may wait and ``QueueFull`` where too many do.
        """
        lane = self._queue.setdefault(turn.conversation_id, [])
        if not lane:
            lane.append((turn, None))
            return None
        if on_busy is OnBusy.REJECT:
            raise ConversationBusy(
                f"a turn is running in conversation {turn.conversation_id}; wait for it, cancel it, or send with"
                " on_busy enqueue, interrupt or rollback"
            )
        if len(lane) > self._max_waiting:
            raise QueueFull(
                f"{len(lane) - 1} turns wait in conversation {turn.conversation_id} already, which is the most",
                retry_after_s=BUSY_RETRY_S,
            )
        place = asyncio.get_running_loop().create_future()
        lane.append((turn, place))
        return place

    def leave(self, turn: T) -> None:
        """Give up a place, and let the next one run."""
        lane = self._queue[turn.conversation_id]
        was_first = lane[0][0] is turn
        remaining = [entry for entry in lane if entry[0] is not turn]
        if not remaining:
            del self._queue[turn.conversation_id]
            return
        self._queue[turn.conversation_id] = remaining
        place = remaining[0][1]
        if was_first and place is not None and not place.done():
            place.set_result(None)
