"""What waits at one moment goes together, and each call gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from idolchat_core import DocumentRefused, StorageUnavailable
from idolchat_storage_postgres.batch import BatchedStatement, Batches
from idolchat_storage_postgres.database import Connection, Database
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.testing import PostgresServer


class Doubling:
    """Doubles numbers in the database, and remembers how many came together."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.statement = BatchedStatement(self.run)

    async def run(self, connection: Connection, numbers: Sequence[str]) -> Sequence[int | Exception]:
        self.sizes.append(len(numbers))
        rows = await connection.fetch(
            "select n::int * 2 from unnest($1::text[]) with ordinality x(n, o) order by o", numbers
        )
        return [row[0] if row[0] != 26 else ValueError("thirteen") for row in rows]


@pytest.fixture
async def database(server: PostgresServer) -> AsyncIterator[Database]:
    database = Database(PostgresSettings.model_validate({"url": server.url()}))
    yield database
    await database.close()


@pytest.fixture
async def batches(database: Database) -> AsyncIterator[Batches]:
    batches = Batches(database, [database.session(), database.session()])
    yield batches
    await batches.close()


async def test_what_is_asked_for_at_one_moment_goes_together(batches: Batches) -> None:
    doubling = Doubling()
    answers = await asyncio.gather(*(batches.ask(doubling.statement, str(number)) for number in range(10)))

    assert answers == [2 * number for number in range(10)]
    assert doubling.sizes == [10]


async def test_an_error_is_raised_by_its_own_call(batches: Batches) -> None:
    doubling = Doubling()
    first, second = await asyncio.gather(
        batches.ask(doubling.statement, "13"), batches.ask(doubling.statement, "1"), return_exceptions=True
    )

    assert isinstance(first, ValueError)
    assert second == 2


async def test_what_the_database_does_not_take_spoils_nothing_else(batches: Batches) -> None:
    doubling = Doubling()
    first, second = await asyncio.gather(
        batches.ask(doubling.statement, "secret"), batches.ask(doubling.statement, "1"), return_exceptions=True
    )

    assert isinstance(first, DocumentRefused)
    assert "secret" not in str(first)
    assert second == 2


async def test_whoever_left_before_it_was_sent_has_asked_for_nothing(batches: Batches) -> None:
    doubling = Doubling()
    calls = [asyncio.create_task(batches.ask(doubling.statement, str(number))) for number in range(3)]
    await asyncio.sleep(0)
    calls[1].cancel()

    assert [await calls[0], await calls[2]] == [0, 4]
    assert doubling.sizes == [2]


async def test_a_connection_that_was_cut_is_made_anew(batches: Batches, server: PostgresServer) -> None:
    doubling = Doubling()
    await batches.ask(doubling.statement, "1")
    server.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'idolchat'")

    assert await batches.ask(doubling.statement, "2") == 4


async def test_what_is_closed_takes_nothing_more(database: Database) -> None:
    batches = Batches(database, [database.session()])
    doubling = Doubling()
    asked = asyncio.create_task(batches.ask(doubling.statement, "1"))
    await asyncio.sleep(0)
    await batches.close()

    assert await asked == 2
    with pytest.raises(StorageUnavailable):
        await batches.ask(doubling.statement, "1")


async def test_what_expires_fails_where_the_database_does_not_answer_and_holds_up_nothing_else(
    database: Database,
) -> None:
    batches = Batches(database, [database.session()], expires_after_s=0.01)
    answers = asyncio.Event()

    async def run(connection: Connection, numbers: Sequence[int]) -> Sequence[int]:
        await answers.wait()
        return numbers

    hangs: BatchedStatement[int, int] = BatchedStatement(run, expires=True)
    waits: BatchedStatement[int, int] = BatchedStatement(run)
    behind = asyncio.create_task(batches.ask(waits, 2))
    with pytest.raises(StorageUnavailable):
        await batches.ask(hangs, 1)
    answers.set()

    assert await behind == 2
    await batches.close()


async def test_what_comes_while_the_same_is_written_goes_together_and_something_else_goes_at_once(
    batches: Batches,
) -> None:
    may_go_on, others = asyncio.Event(), Doubling()
    sizes: list[int] = []

    async def run(connection: Connection, numbers: Sequence[int]) -> Sequence[int]:
        sizes.append(len(numbers))
        await may_go_on.wait()
        return numbers

    slow: BatchedStatement[int, int] = BatchedStatement(run)
    first = asyncio.create_task(batches.ask(slow, 0))
    await asyncio.sleep(0)
    behind = [asyncio.create_task(batches.ask(slow, number)) for number in range(1, 4)]
    assert await batches.ask(others.statement, "1") == 2
    may_go_on.set()

    assert [await first, *[await one for one in behind]] == [0, 1, 2, 3]
    assert sizes == [1, 3]


async def test_much_of_the_same_goes_on_a_connection_that_is_free(batches: Batches) -> None:
    both = asyncio.Barrier(2)

    async def run(connection: Connection, numbers: Sequence[int]) -> Sequence[int]:
        await both.wait()
        return numbers

    statement: BatchedStatement[int, int] = BatchedStatement(run)
    first = asyncio.create_task(batches.ask(statement, 0))
    await asyncio.sleep(0)
    assert await asyncio.gather(*(batches.ask(statement, number) for number in range(1, 65))) == list(range(1, 65))

    assert await first == 0


async def test_what_waits_for_others_is_done_when_they_are_many(batches: Batches) -> None:
    async def run(connection: Connection, numbers: Sequence[int]) -> Sequence[int]:
        return numbers

    statement: BatchedStatement[int, int] = BatchedStatement(run, apart_s=3600)
    for _ in range(2):
        assert await asyncio.gather(*(batches.ask(statement, number) for number in range(64))) == list(range(64))


async def test_where_some_have_come_together_the_next_wait_and_go_together_too(database: Database) -> None:
    batches, sizes = Batches(database, [database.session()]), list[int]()

    async def run(connection: Connection, numbers: Sequence[int]) -> Sequence[int]:
        sizes.append(len(numbers))
        return numbers

    statement: BatchedStatement[int, int] = BatchedStatement(run, apart_s=3600)
    await asyncio.gather(*(batches.ask(statement, number) for number in range(4)))
    waiting = []
    for number in (4, 5):
        waiting.append(asyncio.create_task(batches.ask(statement, number)))
        await asyncio.sleep(0)
    assert sizes == [4]
    await batches.close()

    assert await asyncio.gather(*waiting) == [4, 5]
    assert sizes == [4, 2]
