"""Servers of one PostgreSQL whose clocks are two hours apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from pathlib import Path
from uuid import uuid4

import pytest

from idolchat_storage_postgres.testing import PostgresServer
from tests.cluster.under_load import document_of, see_who_was_taken_for_dead, under_load, until_answered, until_said
from tests.support.cluster import Cluster, running_cluster
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.stream import streamed
from tests.support.talk import body
from tests.support.zygote import ForkedServer, Zygote, running_zygote

CLOCKS = ("+1h", "-1h")


def find_faketime() -> Path:
    """Find the library that shifts the clock of a process."""
    found = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), *Path("/usr/lib/faketime").glob("*MT.so.1")]
    if not found:
        pytest.fail("the tests of clocks need libfaketime: apt-get install libfaketime")
    return found[0]


@pytest.fixture
def apart(tmp_path: Path, forking: Zygote, postgres: PostgresServer, mock_openrouter: Mock) -> Iterator[Cluster]:
    """Run a server by the clock of the machine, one by a clock that is fast, and one by a clock that is slow."""
    with (
        ExitStack() as zygotes,
        running_cluster(
            tmp_path, forking, postgres, starts=False, OPENROUTER_BASE_URL=mock_openrouter.base_url
        ) as cluster,
    ):
        for place, clock in enumerate(CLOCKS, 1):
            shifts = {"FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            # The library reads FAKETIME where a process begins, and again seconds later: a fork inherits what it read.
            zygote = zygotes.enter_context(running_zygote(find_faketime(), **shifts))
            server = cluster.servers[place]
            cluster.servers[place] = ForkedServer(server.folder, {**server.environment, **shifts}, zygote)
        cluster.start()
        yield cluster
        cluster.stop()


async def hour_of(server: Server) -> float:
    """Return what its clock says, in hours."""
    async with server.client() as client:
        said = (await client.get("/readyz")).headers["date"]
    return parsedate_to_datetime(said).timestamp() / 3600


async def test_servers_whose_clocks_are_two_hours_apart_lose_nothing_and_take_over_only_who_is_dead(
    apart: Cluster,
) -> None:
    one, fast, slow = apart.servers
    async with under_load(apart) as client:
        conversation_id = str(uuid4())
        for server in (one, fast, slow, one):
            sent = body("Hi", model="mock/echo", conversation_id=conversation_id)
            async with streamed(server, json=sent) as events:
                assert [event async for event in events][-2].data["choices"][0]["finish_reason"] == "stop"
        async with streamed(one, json=body("Sing", model="mock/n4000-d50", conversation_id=conversation_id)) as events:
            await anext(events)
            hours = [await hour_of(server) for server in apart.servers]
            await until_answered(client)
            see_who_was_taken_for_dead(apart, client)
            one.kill()
            client.ledger.lose(asyncio.get_running_loop().time())
        taken_over = await until_said(fast, conversation_id)
        await asyncio.to_thread(one.start)

    times = [message["timestamp"] for message in taken_over["messages"]]
    assert [round(hour - hours[0]) for hour in hours] == [0, 1, -1]
    assert times == sorted(times)
    assert [message["content"] for message in taken_over["messages"][:8]] == ["Hi"] * 8
    assert taken_over["messages"][-1]["finish_reason"] == "interrupted"
    assert await document_of(slow, conversation_id) == taken_over
    see_who_was_taken_for_dead(apart, client, killed=1)
