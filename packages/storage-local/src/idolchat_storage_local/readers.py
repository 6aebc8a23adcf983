"""Threads that read: whatever is asked for is done by the next one that is free."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

__all__ = ["Readers"]

type _Asked = tuple[asyncio.Future[object] | None, Callable[[], object]]


class Readers:
    """As ``asyncio.to_thread``, at a third of its cost: a queue and a wake-up each way, and nothing in between."""

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: SimpleQueue[_Asked | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"idolchat-reader-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    async def ask[T](self, function: Callable[[], T]) -> T:
        """Call a function there, and give or raise what it does."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((future, function))  # type: ignore[arg-type]  # it is given what the function returns
        try:
            return await future
        finally:
            del future  # what it raises holds this frame: a circle that only the collector would find

    def submit(self, function: Callable[[], object]) -> None:
        """Have a function called that nobody waits for, and that raises nothing."""
        self._queue.put((None, function))

    def close(self) -> None:
        """Do what was asked for, and stop."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (asked := self._queue.get()) is not None:
            future, function = asked
            if future is None:
                function()
            elif not future.cancelled():
                self._tell(future, *_outcome(function))

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
