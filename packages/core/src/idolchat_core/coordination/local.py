"""The default: one process serves a storage, so that memory says who runs and who waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from uuid import UUID

from idolchat_core.coordination.checkpoints import Checkpoints
from idolchat_core.coordination.contract import (
    Bus,
    Coordination,
    Counters,
    Occupant,
    OnBusy,
    SharedStorage,
    TurnStore,
    UnfinishedTurn,
    Write,
)
from idolchat_core.coordination.queue import ConversationQueue
from idolchat_core.errors import StorageError
from idolchat_core.events.events import TurnState
from idolchat_core.models import Conversation
from idolchat_core.rate_limits import LeakyBuckets
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.storage.contract import Storage

__all__ = ["LocalBus", "LocalCounters", "StoredTurns", "forget_unfinished", "local_coordination", "open_coordination"]

INBOX = "local"


class StoredTurns(TurnStore):
    """Turns of this process in a storage: places in memory, and checkpoints for the start after a crash.

    Parts of one process that have the same ``queue`` and ``checkpoints`` share the conversations.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        inbox: str = INBOX,
        queue: ConversationQueue | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self._storage = storage
        self._inbox = inbox
        self._queue = queue or ConversationQueue()
        self._checkpoints = checkpoints or Checkpoints(storage)
        self._has_taken_over = False

    async def enter(
        self, conversation_id: UUID, turn_id: UUID, *, on_busy: OnBusy, max_waiting: int, begins_at_once: bool = False
    ) -> Sequence[Occupant]:
        return self._queue.join(conversation_id, turn_id, inbox=self._inbox, on_busy=on_busy, max_waiting=max_waiting)

    async def wait(self, turn: UnfinishedTurn) -> None:
        await self._checkpoints.save(turn, durable=True)

    async def reached(self, conversation_id: UUID, turn_id: UUID) -> bool:
        entry = self._queue.entries.get(turn_id.int)
        if entry is None:
            raise ValueError(f"turn {turn_id} has no place in conversation {conversation_id}")
        if entry.place is not None:
            await entry.place
        return entry.follows_begun

    async def begin(
        self,
        conversation_id: UUID,
        turn_id: UUID,
        write: Write | None,
        *,
        call: MeteredCall,
        describe: Callable[[], UnfinishedTurn],
        is_kept: bool = False,
    ) -> str | None:
        call.write()
        revision = None
        try:
            if is_kept:
                await self._checkpoints.save(describe(), durable=True)
            if write is not None:
                revision = await self._storing(conversation_id, write)
        except BaseException:
            with suppress(StorageError):  # the line is written later, or is void: nobody is asked
                await call.written()
            raise
        entry = self._queue.entries.get(turn_id.int)
        if entry is not None:
            entry.has_begun = True
        return revision

    async def save(self, turns: Sequence[UnfinishedTurn]) -> Mapping[UUID, TurnState]:
        await self._checkpoints.save_running([turn for turn in turns if turn.turn_id.int in self._queue.entries])
        await self._checkpoints.drop_left_over()
        return {
            entry.turn_id: entry.stop_as
            for entry in self._queue.entries.values()
            if entry.stop_as is not None and entry.inbox == self._inbox
        }

    async def end(
        self, conversation_id: UUID, turn_id: UUID, write: Write | None = None, *, call: MeteredCall | None = None
    ) -> str | None:
        revision = await self._storing(conversation_id, write) if write is not None else None
        self._queue.leave(turn_id)
        self._checkpoints.drop(turn_id)
        return revision

    async def postpone(self, conversation_id: UUID, turn_id: UUID) -> None:
        self._queue.leave(turn_id)

    async def stop(self, turn_id: UUID, state: TurnState) -> Occupant | None:
        entry = self._queue.entries.get(turn_id.int)
        if entry is None:
            return None
        entry.stop_as = entry.stop_as or state
        return entry.occupant

    async def find(self, turn_id: UUID) -> Occupant | None:
        entry = self._queue.entries.get(turn_id.int)
        return entry.occupant if entry is not None else None

    async def occupants(self, conversation_id: UUID) -> Sequence[Occupant]:
        return self._queue.turns_of(conversation_id)

    async def take_over(self) -> Sequence[UnfinishedTurn]:
        if self._has_taken_over:
            return ()
        left = await self._checkpoints.load()
        self._has_taken_over = True
        return left

    async def forget(self, chosen: Callable[[UnfinishedTurn], bool]) -> int:
        left = [turn for turn in await self._checkpoints.load() if chosen(turn)]
        for turn in left:
            self._checkpoints.drop(turn.turn_id)
        await self._checkpoints.dropped()
        return len(left)

    async def settled(self) -> None:
        await self._checkpoints.dropped()

    async def close(self) -> None:
        await self._checkpoints.close()

    def _storing(self, conversation_id: UUID, write: Write) -> Awaitable[str | None]:
        if isinstance(write, Conversation):
            return self._storage.create(write)
        return self._storage.append(
            conversation_id,
            write.messages,
            expected_count=write.expected_count,
            updated_at=write.updated_at,
            head=write.head,
            expected_revision=write.expected_revision,
        )


class LocalBus(Bus):
    """Calls who receives in this process; those with the same ``peers`` reach each other."""

    def __init__(self, inbox: str = INBOX, *, peers: dict[str, Callable[[bytes], None]] | None = None) -> None:
        self.inbox = inbox
        self._peers = peers if peers is not None else {}

    def send(self, inbox: str, message: bytes) -> None:
        take = self._peers.get(inbox)
        if take is not None:
            take(message)

    @asynccontextmanager
    async def receive(self, take: Callable[[bytes], None]) -> AsyncGenerator[None]:
        self._peers[self.inbox] = take
        try:
            yield
        finally:
            self._peers.pop(self.inbox, None)


class LocalCounters(Counters):
    """Counts in memory."""

    def __init__(self) -> None:
        self._buckets: dict[str, LeakyBuckets] = {}

    def buckets(self, name: str, *, unit: str, limit: float, window_s: float = 60.0) -> LeakyBuckets:
        known = self._buckets.get(name)
        if known is None:
            known = self._buckets[name] = LeakyBuckets(name, unit=unit, limit=limit, window_s=window_s)
        return known


def local_coordination(storage: Storage) -> Coordination:
    """Coordinate what one process does."""
    return Coordination(turns=StoredTurns(storage), bus=LocalBus(), counters=LocalCounters())


def open_coordination(storage: Storage, bus: Bus | None = None) -> AbstractAsyncContextManager[Coordination]:
    """Open what coordinates the processes of a storage, over ``bus`` where one is chosen; or that of this process."""
    if isinstance(storage, SharedStorage):
        return storage.open_coordination(bus)
    return nullcontext(local_coordination(storage))


async def forget_unfinished(storage: Storage, chosen: Callable[[UnfinishedTurn], bool]) -> int:
    """Remove what was kept of turns that did not end; see ``TurnStore.forget``. Raises ``StorageUnavailable``."""
    async with open_coordination(storage) as coordination:
        return await coordination.turns.forget(chosen)
