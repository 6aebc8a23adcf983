"""Threads that work off the event loop: what is asked for is done by one that is free, or by the next to become so."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from idolchat_core.errors import StorageUnavailable

__all__ = ["WorkerThreads"]

type _Asked = tuple[asyncio.Future[object] | None, Callable[[], object]]
type _Desk = SimpleQueue[_Asked | None]


class WorkerThreads:
    """As ``asyncio.to_thread``, at a third of its cost: a queue and a wake-up each way, and nothing in between.

    Up to ``count`` threads are started as they are needed. Each has a queue of its own, for of those that wait at one
    together a question wakes two. The one that was free last is asked first: what it needs is still in the processor's
    caches.
    """

    def __init__(self, count: int, *, name: str) -> None:
        self._count = count
        self._name = name
        self._lock = threading.Lock()
        self._free: list[_Desk] = []
        self._waiting: deque[_Asked] = deque()
        self._is_closed = False
        self._threads: list[threading.Thread] = []

    async def ask[T](self, function: Callable[[], T]) -> T:
        """Call a function on one of the threads, and return or raise what it does.

        Raises ``StorageUnavailable`` after ``close``.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put((future, function))  # type: ignore[arg-type]  # it is given what the function returns
        try:
            return await future
        finally:
            del future  # what it raises holds this frame: a circle that only the collector would find

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function on one of the threads that nobody waits for, and that raises nothing.

        Raises ``StorageUnavailable`` after ``close``.
        """
        self._put((None, function))

    def close(self) -> None:
        """Finish what was asked for, and stop the threads; what is asked for from now on is refused."""
        with self._lock:
            self._is_closed = True
            free, self._free = self._free, []
        for desk in free:
            desk.put(None)
        for thread in self._threads:
            thread.join()

    def _put(self, asked: _Asked) -> None:
        with self._lock:
            if self._is_closed:
                raise StorageUnavailable(f"what {self._name} threads read and write is closed")
            if not self._free:
                self._waiting.append(asked)
                if len(self._threads) < self._count:
                    self._start()
                return
            desk = self._free.pop()
        desk.put(asked)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        desk: _Desk = SimpleQueue()
        while (asked := self._next(desk)) is not None:
            future, function = asked
            if future is None:
                function()
            elif not future.cancelled():
                _tell(future, *_outcome(function))
            del asked, future, function  # what they hold is not to outlive the answer

    def _next(self, desk: _Desk) -> _Asked | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if self._is_closed:
                return None
            self._free.append(desk)
        return desk.get()


def _outcome(function: Callable[[], object]) -> tuple[object, BaseException | None]:
    try:
        return function(), None
    except BaseException as error:  # noqa: BLE001 - whoever asked is told
        return None, error


def _tell(future: asyncio.Future[object], result: object, error: BaseException | None) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        future.get_loop().call_soon_threadsafe(_deliver, future, result, error)


def _deliver(future: asyncio.Future[object], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
