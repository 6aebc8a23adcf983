"""The index of memory is right by the kit, and shared by all who have it open."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from idolchat_core import MemoryIndex, MemoryScope, ScopeReader
from idolchat_core.testing import PLAIN_WORDS, MemoryIndexConformance, a_memory, memory_snapshot
from idolchat_storage_postgres.storage import PostgresStorage

SCOPE = MemoryScope(user_id="mia", character_id="yui")


class TestConformance(MemoryIndexConformance):
    """The contract of core."""

    @pytest.fixture
    def reopen(self, storage: PostgresStorage) -> Callable[[], AbstractAsyncContextManager[MemoryIndex]]:
        return lambda: storage.memory_index(PLAIN_WORDS)

    @pytest.fixture
    async def index(self, reopen: Callable[[], AbstractAsyncContextManager[MemoryIndex]]) -> AsyncIterator[MemoryIndex]:
        async with reopen() as index:
            yield index


async def test_many_write_one_scope_at_once_and_the_index_agrees_with_itself(storage: PostgresStorage) -> None:
    async with storage.memory_index(PLAIN_WORDS) as first, storage.memory_index(PLAIN_WORDS) as second:
        sides = (first, second)
        await asyncio.gather(
            *(
                sides[number % 2].replace(
                    SCOPE, UUID(int=number), [a_memory(f"word {number}"), a_memory("again", 1)], revision="1"
                )
                for number in range(20)
            )
        )

        assert (await first.stats(SCOPE))[:3] == (1, 20, 40)
        assert await second.verify() == []
        assert await first.read(SCOPE, memory_snapshot) == await second.read(SCOPE, memory_snapshot)


async def test_an_index_of_another_analysis_is_emptied(storage: PostgresStorage) -> None:
    async with storage.memory_index(PLAIN_WORDS) as index:
        await index.replace(SCOPE, UUID(int=1), [a_memory("apple")], revision="1")
    async with storage.memory_index(replace(PLAIN_WORDS, name="other")) as index:
        assert await index.conversations() == {}


async def test_a_reading_that_is_cancelled_leaves_its_connection_in_order(storage: PostgresStorage) -> None:
    async with storage.memory_index(PLAIN_WORDS) as index:
        await index.replace(SCOPE, UUID(int=1), [a_memory("apple")], revision="1")
        readings = []
        for _ in range(20):
            readings.append(asyncio.create_task(index.read(SCOPE, memory_snapshot)))
            await asyncio.sleep(0.001)
            readings[-1].cancel()
        await asyncio.gather(*readings, return_exceptions=True)

        assert len((await index.read(SCOPE, memory_snapshot)).messages) == 1


async def test_a_reading_that_fails_after_it_was_cancelled_is_not_told_of(storage: PostgresStorage) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    begun, may_fail = threading.Event(), threading.Event()

    def work(reader: ScopeReader) -> None:
        reader.statistics()
        begun.set()
        may_fail.wait(10)
        raise RuntimeError

    async with storage.memory_index(PLAIN_WORDS) as index:
        reading = asyncio.create_task(index.read(SCOPE, work))
        await asyncio.to_thread(begun.wait, 10)
        reading.cancel()
        await asyncio.sleep(0)
        may_fail.set()
        await asyncio.wait({reading})
        assert reading.cancelled()

    del reading  # which keeps what it waited for
    gc.collect()
    assert not told
