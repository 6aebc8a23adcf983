"""Threads that work off the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from idolchat_core import StorageUnavailable, WorkerThreads


@pytest.fixture
def threads() -> Iterator[WorkerThreads]:
    threads = WorkerThreads(2, name="worker")
    yield threads
    threads.close()


async def test_what_a_function_returns_or_raises_comes_back(threads: WorkerThreads) -> None:
    name = await threads.ask(lambda: threading.current_thread().name)
    with pytest.raises(ZeroDivisionError):
        await threads.ask(lambda: 1 // 0)

    assert name.startswith("worker-")


async def test_as_many_work_at_once_as_there_may_be_threads(threads: WorkerThreads) -> None:
    together = threading.Barrier(2, timeout=60)
    names = await asyncio.gather(
        *[threads.ask(lambda: (together.wait(), threading.current_thread().name)) for _ in "12"]
    )

    assert len({name for _, name in names}) == 2
    assert {await threads.ask(lambda: threading.current_thread().name) for _ in range(9)} <= {name for _, name in names}


async def test_what_was_asked_for_is_done_before_the_end(threads: WorkerThreads) -> None:
    may_go_on, done = threading.Event(), list[int]()
    threads.submit(lambda: may_go_on.wait(60))
    threads.submit(lambda: may_go_on.wait(60))
    waiting = [asyncio.ensure_future(threads.ask(lambda number=number: done.append(number))) for number in range(3)]  # type: ignore[misc]
    await asyncio.sleep(0)
    may_go_on.set()
    await asyncio.to_thread(threads.close)
    await asyncio.gather(*waiting)

    assert sorted(done) == [0, 1, 2]


async def test_what_is_asked_for_after_the_end_is_refused(threads: WorkerThreads) -> None:
    await threads.ask(lambda: None)
    threads.close()

    with pytest.raises(StorageUnavailable, match="worker"):
        await asyncio.wait_for(threads.ask(lambda: None), timeout=60)
    with pytest.raises(StorageUnavailable, match="worker"):
        threads.submit(lambda: None)


async def test_what_is_asked_for_while_they_are_closed_is_done_or_refused(threads: WorkerThreads) -> None:
    may_go_on = threading.Event()
    asked = [asyncio.ensure_future(threads.ask(lambda: may_go_on.wait(60))) for _ in range(3)]
    closing = asyncio.ensure_future(asyncio.to_thread(threads.close))
    try:
        async with asyncio.timeout(30):
            while not asked[-1].done():  # the first that is refused: the others wait for the event
                asked.append(asyncio.ensure_future(threads.ask(lambda: may_go_on.wait(60))))
                await asyncio.sleep(0.001)
    finally:
        may_go_on.set()
    await closing
    *accepted, refused = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), timeout=60)

    assert isinstance(refused, StorageUnavailable)
    assert all(answer is True for answer in accepted)
