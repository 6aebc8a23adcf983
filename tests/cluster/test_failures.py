"""What fails among servers of one PostgreSQL, and what must not follow from it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

from idolchat_storage_postgres.testing import PostgresServer
from tests.cluster.proxy import Proxy
from tests.cluster.under_load import (
    SAVED,
    see_that_nobody_was_interrupted,
    see_who_was_taken_for_dead,
    under_load,
    until_answered,
    until_lived_on,
    until_ready,
    until_said,
    until_true,
    until_unheard,
)
from tests.support.cluster import Cluster, running_cluster
from tests.support.mock_openrouter.fixture import Mock
from tests.support.stream import streamed
from tests.support.talk import body
from tests.support.zygote import Zygote


async def test_a_database_that_is_restarted_loses_nothing_and_nobody_is_taken_for_dead(
    own_cluster: Cluster, own_postgres: PostgresServer
) -> None:
    async with under_load(own_cluster) as client:
        for _ in range(2):
            await until_answered(client)
            client.ledger.lose(asyncio.get_running_loop().time())
            await asyncio.to_thread(own_postgres.restart, "immediate")
        await until_lived_on(own_cluster)

    see_who_was_taken_for_dead(own_cluster, client)


async def test_a_database_that_is_away_for_longer_loses_nothing_and_nobody_is_taken_for_dead(
    own_cluster: Cluster, own_postgres: PostgresServer
) -> None:
    async with under_load(own_cluster) as client:
        await until_answered(client)
        client.ledger.lose(asyncio.get_running_loop().time())
        await asyncio.to_thread(own_postgres.stop, "immediate")
        for server in own_cluster.servers:
            await until_unheard(server)
        await asyncio.to_thread(own_postgres.start)
        for server in own_cluster.servers:
            await until_ready(server)
        await until_lived_on(own_cluster)

    see_who_was_taken_for_dead(own_cluster, client)


@asynccontextmanager
async def behind_proxies(
    folder: Path, zygote: Zygote, postgres: PostgresServer, mock: Mock
) -> AsyncGenerator[tuple[Cluster, list[Proxy]]]:
    """Run servers that reach the database through a proxy each."""
    with running_cluster(folder, zygote, postgres, starts=False, OPENROUTER_BASE_URL=mock.base_url) as cluster:
        async with Proxy.to(postgres.port) as one, Proxy.to(postgres.port) as two, Proxy.to(postgres.port) as three:
            proxies = [one, two, three]
            for server, proxy in zip(cluster.servers, proxies, strict=True):
                url = cluster.database.replace(f":{postgres.port}/", f":{proxy.port}/")
                server.environment["IDOLCHAT_POSTGRES_URL"] = url
            await asyncio.to_thread(cluster.start)
            yield cluster, proxies
            await asyncio.to_thread(cluster.stop)


async def test_connections_that_are_cut_and_answers_that_are_lost_lose_and_double_nothing(
    tmp_path: Path, forking: Zygote, postgres: PostgresServer, mock_openrouter: Mock
) -> None:
    dice = Random(1)
    async with behind_proxies(tmp_path, forking, postgres, mock_openrouter) as (cluster, proxies):
        async with under_load(cluster) as client:
            for _ in range(12):
                proxy = dice.choice(proxies)
                await proxy.answered(dice.randrange(50))
                client.ledger.lose(asyncio.get_running_loop().time())
                if dice.random() < 0.5:
                    proxy.cut()
                else:
                    await proxy.lose_answers(dice.randrange(1, 4))
            await until_lived_on(cluster)
        see_who_was_taken_for_dead(cluster, client)


async def test_a_server_that_is_cut_off_from_the_database_stops_and_begins_anew(
    tmp_path: Path, forking: Zygote, postgres: PostgresServer, mock_openrouter: Mock
) -> None:
    async with behind_proxies(tmp_path, forking, postgres, mock_openrouter) as (cluster, proxies):
        one, second, _ = cluster.servers
        conversation_id = str(uuid4())
        sent = body("Sing", model="mock/n64-d400", conversation_id=conversation_id)
        async with streamed(one, json=sent) as events:
            await anext(events)
            await until_true(cluster, SAVED, UUID(conversation_id))
            proxies[0].stall()
            not_ready = await until_ready(one, status=503)
            rest = [event async for event in events]
        reply = (await until_said(second, conversation_id))["messages"][-1]
        proxies[0].go_on()
        proxies[0].cut()
        again = await until_ready(one)

    assert reply["finish_reason"] == "interrupted"
    assert reply["content"]
    assert rest[-2].data["error"]["code"] in ("interrupted", "storage_unavailable")
    assert not_ready.json()["instance"]["id"] != again.json()["instance"]["id"]


async def test_all_servers_are_replaced_under_load(own_cluster: Cluster) -> None:
    async with under_load(own_cluster) as client:
        for server in own_cluster.servers:
            await until_answered(client)
            assert await asyncio.to_thread(server.stop) == 0
            await asyncio.to_thread(server.start)
        await until_answered(client)

    see_who_was_taken_for_dead(own_cluster, client)
    see_that_nobody_was_interrupted(client)


async def test_a_reader_whose_server_is_stopped_reads_on_and_the_turn_does_not_wait(cluster: Cluster) -> None:
    one, second, _ = cluster.servers
    async with streamed(one, json=body("Sing", model="mock/n64-d40")) as events:
        turn_id = (await anext(events)).data["turn_id"]
        async with streamed(second, f"/turns/{turn_id}/stream") as elsewhere:
            read = [await anext(elsewhere)]
            second.send_signal(signal.SIGSTOP)
            there = [event async for event in events]
            second.send_signal(signal.SIGCONT)
            read += [event async for event in elsewhere]

    assert there[-2].data["choices"][0]["finish_reason"] == "stop"
    assert [event.raw for event in read[1:]] == [event.raw for event in there]
