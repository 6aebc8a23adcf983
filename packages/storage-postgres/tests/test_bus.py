"""The bus over NOTIFY, and what becomes of it when the database is away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest
from pydantic import SecretStr

from idolchat_core import Bus
from idolchat_core.testing import BusConformance, OpenBus, until_so
from idolchat_storage_postgres.bus import NotifyBus
from idolchat_storage_postgres.database import Database
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.testing import PostgresServer, running_postgres


@pytest.fixture
async def database(server: PostgresServer) -> AsyncGenerator[Database]:
    database = Database(PostgresSettings(url=SecretStr(server.url())))
    yield database
    await database.close()


class TestNotifyBus(BusConformance):
    @pytest.fixture
    def open_bus(self, database: Database) -> OpenBus:
        def open_one() -> AbstractAsyncContextManager[Bus]:
            return NotifyBus(database)

        return open_one


@pytest.mark.parametrize(
    "message",
    [("é€😀" * 20_000).encode(), ("x" + "é€😀" * 5_000).encode(), b"\0" * 9_000, "\0é".encode(), b"="],
    ids=["characters that are cut", "cut elsewhere", "no text", "with NUL", "mark"],
)
async def test_whatever_the_bytes_they_arrive_as_they_were(database: Database, message: bytes) -> None:
    arrived: list[bytes] = []
    async with NotifyBus(database) as bus, bus.receive(arrived.append):
        bus.send(bus.inbox, message)
        bus.send(bus.inbox, b"next")
        await until_so("both messages", lambda: len(arrived) == 2)

    assert arrived == [message, b"next"]


async def test_a_connection_that_the_database_closes_is_made_again(database: Database, server: PostgresServer) -> None:
    arrived: list[bytes] = []
    async with NotifyBus(database) as bus, bus.receive(arrived.append):
        server.query(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'idolchat' and query ~ 'pg_notify|LISTEN'"
        )
        await until_so("a bus with a problem", lambda: bus.state.problem is not None)
        await until_so("a bus without a problem", lambda: bus.state.problem is None)
        bus.send(bus.inbox, b"arrives")
        await until_so("the message", lambda: len(arrived) == 1)

    assert arrived == [b"arrives"]


async def test_a_database_that_is_stopped_and_comes_back_is_used_again() -> None:
    arrived: list[bytes] = []
    with running_postgres() as own:
        database = Database(PostgresSettings(url=SecretStr(own.url())))
        async with NotifyBus(database) as bus, bus.receive(arrived.append):
            await asyncio.to_thread(own.stop, "immediate")
            await until_so("a bus with a problem", lambda: bus.state.problem is not None)
            bus.send(bus.inbox, b"lost")
            await asyncio.to_thread(own.start)
            await until_so("a bus without a problem", lambda: bus.state.problem is None)
            bus.send(bus.inbox, b"arrives")
            await until_so("the message", lambda: len(arrived) == 1)
        await database.close()

    assert (arrived, bus.state.dropped) == ([b"arrives"], 1)


async def test_a_listener_that_is_stuck_harms_no_other(database: Database, server: PostgresServer) -> None:
    stuck = await asyncpg.connect(server.url())
    await stuck.execute("listen idolchat_stuck")
    await stuck.execute("begin")
    arrived: list[bytes] = []
    async with NotifyBus(database) as bus, bus.receive(arrived.append):
        for number in range(100):
            bus.send(bus.inbox, b"%d" % number)
            await asyncio.sleep(0)
        await until_so("all messages", lambda: len(arrived) == 100)
    await stuck.close()

    assert arrived == [b"%d" % number for number in range(100)]
