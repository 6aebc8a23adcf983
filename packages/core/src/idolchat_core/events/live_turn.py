"""A turn while it can be read: its event log, followed by any number of readers at their own pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from idolchat_core.events.buffer import MOST_RECENT, EventBuffer
from idolchat_core.events.events import Batch, Event, TurnEnded, TurnStarted, TurnState, TurnStatus
from idolchat_core.events.reply_accumulator import ReplyAccumulator
from idolchat_core.llm.contract import Delta
from idolchat_core.memory_size import memory_size
from idolchat_core.models import StoredId

__all__ = ["EventLog", "LiveTurn", "wake"]


type OnEvents = Callable[[int, Batch], bool]

BEGINS_WITHIN_S = 2.0
"""How long a turn has a reader in who has found it and does not read it yet, as where a server is busy: a copy that
nobody reads is filled no more."""
_TURN_BYTES = 2500
"""Memory that a turn takes besides its events and its text: measured, CPython 3.12."""


class EventLog(EventBuffer):
    """Events by ``seq``, from 0; one writer, any number of readers, complete after a ``TurnEnded``.

    A reader that is slow or leaves costs the writer nothing: what it has not read stays in the log.
    """

    __slots__ = ("_at_end", "_on_last_reader_gone", "_readers", "_waiting", "is_closed")

    def __init__(self, on_last_reader_gone: Callable[[], None]) -> None:
        super().__init__()
        self._waiting: list[_Reader] = []
        self._at_end: list[asyncio.Future[None]] = []
        self._readers = 0
        self._on_last_reader_gone: Callable[[], None] | None = on_last_reader_gone
        self.is_closed = False

    @property
    def is_complete(self) -> bool:
        """Whether the terminal event is there."""
        return isinstance(self.last, TurnEnded)

    def append(self, events: Batch) -> None:
        """Add events, at least one, and pass them to the readers that wait."""
        recent = self._recent  # as ``extend``, and without a call, for this is done for each delta
        first = self._older + len(recent)
        recent += events
        if type(events[0]) is not str:
            self._texts_from = first + len(events)
        if len(recent) >= MOST_RECENT:
            self.pack_older()
        if self._waiting:
            all_took = True
            for reader in self._waiting:
                if not reader.took(first, events):
                    all_took = False
            if not all_took:
                self._waiting = [reader for reader in self._waiting if reader.waits]

    def close(self) -> None:
        """Accept no more events.

        That the last reader has gone is told nobody any more: who was told holds this log, and would be held by it.
        """
        self._on_last_reader_gone = None
        self.is_closed = True
        wake(self._at_end)

    async def follow(
        self, *, after: int = -1, on_events: OnEvents | None = None
    ) -> AsyncGenerator[tuple[int, Sequence[Event]]]:
        """Yield ``(seq of the first, events)`` for all that comes after ``seq`` ``after``, to the terminal event.

        Events that are there together come together, or many of them at a time. Read it inside ``aclosing``, so that
        leaving is noticed at once.

        ``on_events`` spares the reader's task being woken: it is called with what comes while the reader waits, and
        only what it returns false for is yielded. It must be quick; what it raises is raised here. Deltas of nothing
        but text may come as their texts there.
        """
        reader = _Reader(after + 1, on_events)
        self._readers += 1
        try:
            while True:
                batch = self.since(reader.position)
                if batch:
                    yield reader.position, batch
                    if isinstance(batch[-1], TurnEnded):
                        return
                    reader.position += len(batch)
                elif self.is_complete:
                    return
                else:
                    self._waiting.append(reader)
                    await reader.woken(at=len(self))
        finally:
            if reader in self._waiting:
                self._waiting.remove(reader)
            self._reader_leaves()

    def expect_reader(self) -> None:
        """Have a reader for a moment: one that was given this and has not begun to read."""
        self._readers += 1
        asyncio.get_running_loop().call_later(BEGINS_WITHIN_S, self._reader_leaves)

    async def ended(self) -> TurnEnded:
        """Wait for the terminal event, as a reader that nothing before it wakes."""
        self._readers += 1
        try:
            while not isinstance(last := self.last, TurnEnded):
                await _in(self._at_end)
            return last
        finally:
            self._reader_leaves()

    async def closed(self) -> None:
        """Wait until no more events come, and be no reader."""
        if not self.is_closed:
            await _in(self._at_end)

    def _reader_leaves(self) -> None:
        self._readers -= 1
        if not self._readers and self._on_last_reader_gone is not None:
            self._on_last_reader_gone()


def _in(waiting: list[asyncio.Future[None]]) -> asyncio.Future[None]:
    waiter = asyncio.get_running_loop().create_future()
    waiting.append(waiter)
    return waiter


def wake(waiting: list[asyncio.Future[None]]) -> None:
    """Wake all who wait."""
    for waiter in waiting:
        if not waiter.done():
            waiter.set_result(None)
    waiting.clear()


def _takes_nothing(_: int, _events: Batch) -> bool:
    return False


class _Reader:
    """One that follows a log; ``position`` is the ``seq`` of what it reads next, unless it waits and takes."""

    __slots__ = ("_on_events", "_takes", "_waiter", "position")

    _takes: OnEvents
    _waiter: asyncio.Future[None]

    def __init__(self, position: int, on_events: OnEvents | None) -> None:
        self.position = position
        self._on_events = on_events or _takes_nothing

    def woken(self, *, at: int) -> asyncio.Future[None]:
        """Return a future that is done when there is something that ``on_events`` did not take.

        ``at`` is the ``seq`` of what comes next; a reader that has read more already is woken by it.
        """
        self._takes = self._on_events if self.position == at else _takes_nothing
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        return waiter

    @property
    def waits(self) -> bool:
        """Whether it is not woken, and has not left."""
        return not self._waiter.done()

    def took(self, first: int, events: Batch) -> bool:
        """Return whether it has taken the events and goes on to wait; else it is woken, unless it has left."""
        waiter = self._waiter
        if waiter.done():
            return False
        try:
            if self._takes(first, events):
                return True
        except Exception as error:  # noqa: BLE001  is raised to the reader; the writer and other readers go on
            waiter.set_exception(error)
        else:
            self.position = max(self.position, first)
            waiter.set_result(None)
        return False


class LiveTurn:
    """A turn that is queued or running, or whose events are still kept."""

    __slots__ = (
        "_at_start",
        "_log",
        "_refusal",
        "_reply",
        "continued_text",
        "conversation_id",
        "created_at",
        "fingerprint",
        "message_id",
        "model",
        "reply_fields",
        "state",
        "turn_id",
        "user_id",
        "user_message_id",
    )

    def __init__(
        self,
        *,
        turn_id: UUID,
        conversation_id: UUID,
        user_id: UUID | str | None,
        user_message_id: StoredId,
        message_id: StoredId,
        model: str | None,
        created_at: datetime,
        fingerprint: str | None = None,
        on_last_reader_gone: Callable[[], None],
    ) -> None:
        self.turn_id = turn_id
        self.conversation_id = conversation_id
        self.user_id = user_id
        self.user_message_id = user_message_id
        self.message_id = message_id
        self.model = model
        self.created_at = created_at
        self.fingerprint = fingerprint
        self.continued_text = ""
        self.reply_fields: dict[str, Any] = {}
        self.state = TurnState.QUEUED
        self._log = EventLog(on_last_reader_gone)
        self._reply = ReplyAccumulator()
        self._at_start: list[asyncio.Future[None]] = []
        self._refusal: Exception | None = None

    @property
    def is_over(self) -> bool:
        """Whether the terminal event is there."""
        return self._log.is_complete

    @property
    def has_begun(self) -> bool:
        """Whether the turn exists for others: its user's message is on disk."""
        return self._log.last is not None

    @property
    def is_settled(self) -> bool:
        """Whether it has begun, or cannot begin."""
        return self.has_begun or self._refusal is not None

    @property
    def reply(self) -> ReplyAccumulator:
        """The reply so far."""
        return self._reply

    @property
    def content(self) -> str:
        """The text of the reply so far, with that of the reply that it continues."""
        return self.continued_text + self.reply.content

    @property
    def status(self) -> TurnStatus:
        """How it stands now."""
        last = self._log.last
        ended = last if isinstance(last, TurnEnded) else None
        return TurnStatus(
            turn_id=self.turn_id,
            conversation_id=self.conversation_id,
            state=self.state,
            user_message_id=self.user_message_id,
            message_id=ended.message.id if ended and ended.message else None,
            content=self.content,
            model=self.reply.model or self.model,
            usage=ended.usage if ended else None,
            error=ended.error if ended else None,
            last_seq=len(self._log) - 1,
        )

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return _TURN_BYTES + self._log.size_bytes + memory_size(self.content)

    def follow(
        self, *, after: int = -1, on_events: OnEvents | None = None
    ) -> AsyncGenerator[tuple[int, Sequence[Event]]]:
        """Read its events; see ``EventLog.follow``."""
        return self._log.follow(after=after, on_events=on_events)

    def expect_reader(self) -> None:
        """Have a reader for a moment; see ``EventLog.expect_reader``."""
        self._log.expect_reader()

    async def ended(self) -> TurnEnded:
        """Wait for the end, as a reader."""
        return await self._log.ended()

    async def over(self) -> None:
        """Wait for the end, or that it cannot begin, and keep nothing going that its readers have left."""
        await self._log.closed()

    async def begun(self) -> None:
        """Wait until it exists for others, or raise what kept it from beginning."""
        while not self.has_begun:
            if self._refusal is not None:
                raise self._refusal
            await _in(self._at_start)

    def go_on_from(self, reply_id: StoredId, text: str, *, answers: StoredId, **fields: Any) -> None:
        """Continue a reply: the new one begins with its text, answers the same, and is stored with further fields.

        Readers are sent only what is added.
        """
        self.user_message_id = answers
        self.continued_text = text
        self.reply_fields |= {"continues": reply_id, **fields}

    def begin(self, *, turns_ahead: int = 0) -> None:
        """Append the event that it exists, and for how many turns it waits."""
        started = TurnStarted(
            turn_id=self.turn_id,
            conversation_id=self.conversation_id,
            user_message_id=self.user_message_id,
            message_id=self.message_id,
            model=self.model,
            created_at=self.created_at,
            turns_ahead=turns_ahead,
            character_id=self.reply_fields.get("character_id") if not turns_ahead else None,
        )
        self._log.append([started])
        wake(self._at_start)

    def refuse(self, error: Exception) -> None:
        """Raise ``error`` to those who wait for the turn to begin: it cannot."""
        self._refusal = error
        self._log.close()
        wake(self._at_start)

    def say(self, *deltas: Delta) -> None:
        """Add pieces of the reply that came together."""
        if deltas:
            self._log.append(self._reply.add(deltas))

    @property
    def events(self) -> EventLog:
        """Its events."""
        return self._log

    @property
    def event_count(self) -> int:
        """How many events there are: the ``seq`` of the next one."""
        return len(self._log)

    def events_since(self, seq: int) -> Sequence[Event]:
        """Return the events from ``seq`` on, or the first of them where there are many."""
        return self._log.since(seq)

    def end(self, event: TurnEnded) -> None:
        """Add the terminal event."""
        self.state = event.state
        self._log.append([event])
        self._log.close()

    def rest(self) -> None:
        """Reduce its memory to what replays need; it must be over."""
        self._log.pack()
