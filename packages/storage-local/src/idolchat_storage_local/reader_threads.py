"""Threads that read: whatever is asked for is done by one that is free, or by the next that becomes so."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

__all__ = ["Readers"]

type _Asked = tuple[asyncio.Future[object] | None, Callable[[], object]]
type _Desk = SimpleQueue[_Asked | None]


class Readers:
    """As ``asyncio.to_thread``, at a third of its cost: a queue and a wake-up each way, and nothing in between.

    Each thread has a queue of its own, for of those that wait at one together a question wakes two. The one that was
    free last is asked first: what it needs is still in the processor's caches.
    """

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._free: list[_Desk] = []
        self._waiting: deque[_Asked] = deque()
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"idolchat-reader-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    async def ask[T](self, function: Callable[[], T]) -> T:
        """Call a function on one of the threads, and return or raise what it does."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._put((future, function))  # type: ignore[arg-type]  # it is given what the function returns
        try:
            return await future
        finally:
            del future  # what it raises holds this frame: a circle that only the collector would find

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function on one of the threads that nobody waits for, and that raises nothing."""
        self._put((None, function))

    def close(self) -> None:
        """Finish what was asked for, and stop the threads."""
        with self._lock:
            self._is_closed = True
            free, self._free = self._free, []
        for desk in free:
            desk.put(None)
        for thread in self._threads:
            thread.join()

    def _put(self, asked: _Asked) -> None:
        with self._lock:
            if not self._free:
                self._waiting.append(asked)
                return
            desk = self._free.pop()
        desk.put(asked)

    def _run(self) -> None:
        desk: _Desk = SimpleQueue()
        while (asked := self._next(desk)) is not None:
            future, function = asked
            if future is None:
                function()
            elif not future.cancelled():
                self._tell(future, *_outcome(function))
            del asked, future, function  # what they hold is not to outlive the answer

    def _next(self, desk: _Desk) -> _Asked | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if self._is_closed:
                return None
            self._free.append(desk)
        return desk.get()

    def _tell(self, future: asyncio.Future[object], result: object, error: BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_deliver, future, result, error)


def _outcome(function: Callable[[], object]) -> tuple[object, BaseException | None]:
    try:
        return function(), None
    except BaseException as error:  # noqa: BLE001 - whoever asked is told
        return None, error


def _deliver(future: asyncio.Future[object], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
