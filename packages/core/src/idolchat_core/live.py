"""The event log of a running turn, followed by any number of readers at their own pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from idolchat_core.events import Event, TurnEnded

__all__ = ["EventLog"]


class EventLog:
    """Events by ``seq``, from 0; one writer, any number of readers, complete after a ``TurnEnded``.

    A reader that is slow or leaves costs the writer nothing: what it has not read stays in the log.
    """

    __slots__ = ("_on_last_reader_gone", "_readers", "_waiters", "events")

    def __init__(self, on_last_reader_gone: Callable[[], None] | None = None) -> None:
        self.events: list[Event] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._readers = 0
        self._on_last_reader_gone = on_last_reader_gone

    @property
    def is_complete(self) -> bool:
        """Tell whether the terminal event is there."""
        return bool(self.events) and isinstance(self.events[-1], TurnEnded)

    def append(self, event: Event) -> None:
        """Add an event and wake whoever waits for it."""
        self.events.append(event)
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def follow(self, *, after: int = -1) -> AsyncGenerator[tuple[int, Sequence[Event]]]:
        """Yield ``(seq of the first, events)`` for all that comes after ``seq`` ``after``, to the terminal event.

        Events that are there together come together. Read it inside ``aclosing``, so that leaving is noticed at once.
        """
        position = after + 1
        self._readers += 1
        try:
            while True:
                batch = self.events[position:]
                if batch:
                    yield position, batch
                    position += len(batch)
                elif self.is_complete:
                    return
                else:
                    await self._more()
        finally:
            self._readers -= 1
            if not self._readers and not self.is_complete and self._on_last_reader_gone:
                self._on_last_reader_gone()

    async def _more(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter
