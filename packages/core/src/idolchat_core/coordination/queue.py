"""One turn at a time in each conversation, the others waiting in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from idolchat_core.coordination.contract import AlreadyEntered, Occupant, OnBusy
from idolchat_core.errors import ConversationBusy, QueueFull
from idolchat_core.events.events import TurnState

__all__ = ["ConversationQueue", "Entry"]

BUSY_RETRY_S = 1.0


@dataclass(slots=True, eq=False)
class Entry:
    """A turn that has a place; ``place`` is what it waits for."""

    turn_id: UUID
    conversation_id: UUID
    inbox: str
    place: asyncio.Future[None] | None = None
    has_begun: bool = False
    follows_begun: bool = False
    """Whether one that was ahead of it has begun."""
    stop_as: TurnState | None = None

    @property
    def occupant(self) -> Occupant:
        """What others may know of it."""
        is_waiting = self.place is not None and not self.place.done()
        return Occupant(self.turn_id, self.conversation_id, self.inbox, is_waiting, self.has_begun)


class ConversationQueue:
    """The turns of every conversation that has any: the first of each is running."""

    def __init__(self) -> None:
        self._queues: dict[int, list[Entry]] = {}  # by the number of the id, which takes no call to hash
        self.entries: dict[int, Entry] = {}
        """All of them, by the number of their turn's id."""

    def turns_of(self, conversation_id: UUID) -> Sequence[Occupant]:
        """List the turns of a conversation, the running one first."""
        return [entry.occupant for entry in self._queues.get(conversation_id.int, ())]

    def join(
        self, conversation_id: UUID, turn_id: UUID, *, inbox: str, on_busy: OnBusy, max_waiting: int
    ) -> Sequence[Occupant]:
        """Add a turn to the queue of its conversation, and return the turns ahead of it.

        Raises ``ConversationBusy`` where nobody may wait, ``QueueFull`` where too many do, and ``AlreadyEntered``.
        """
        queue = self._queues.get(conversation_id.int)
        if queue is None:
            entry = Entry(turn_id, conversation_id, inbox)
            self.entries[turn_id.int] = entry
            self._queues[conversation_id.int] = [entry]
            return ()
        if (known := self.entries.get(turn_id.int)) is not None:
            raise AlreadyEntered(known.occupant)
        if on_busy is OnBusy.REJECT:
            raise ConversationBusy(
                f"a turn is running in conversation {conversation_id}; wait for it, cancel it, or send with"
                " on_busy enqueue, interrupt or rollback"
            )
        if len(queue) > max_waiting:
            raise QueueFull(
                f"{len(queue) - 1} turns wait in conversation {conversation_id} already, which is the most",
                retry_after_s=BUSY_RETRY_S,
            )
        ahead = [entry.occupant for entry in queue]
        if on_busy is not OnBusy.ENQUEUE:
            for entry in queue:
                entry.stop_as = entry.stop_as or TurnState.CANCELLED
        place = asyncio.get_running_loop().create_future()
        self.entries[turn_id.int] = entry = Entry(turn_id, conversation_id, inbox, place)
        queue.append(entry)
        return ahead

    def leave(self, turn_id: UUID) -> None:
        """Remove a turn, and start the one behind it; does nothing for a turn that is not there."""
        entry = self.entries.pop(turn_id.int, None)
        if entry is None:
            return
        queue = self._queues[entry.conversation_id.int]
        if queue[-1] is queue[0]:
            del self._queues[entry.conversation_id.int]
            return
        position = queue.index(entry)
        del queue[position]
        if entry.has_begun:
            for behind in queue[position:]:
                behind.follows_begun = True
        place = queue[0].place
        if not position and place is not None and not place.done():
            place.set_result(None)
