"""NOTIFY, the bus of servers that have no other, when it is slow or takes nothing: turns do not need it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import pytest

from idolchat_core.testing import until
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.stream import SseEvent, streamed
from tests.support.talk import body

FULL = """
alter function pg_catalog.pg_notify(text, text) rename to pg_notify_well;
create function pg_catalog.pg_notify(text, text) returns void language plpgsql as $$ begin
  raise exception 'too many notifications in the NOTIFY queue' using errcode = 'program_limit_exceeded';
end $$;
create schema has_changed  -- has statements that are prepared look up their functions again
"""
"""What ``pg_notify`` raises when its queue is full, which takes eight gigabytes (async.c, PreCommit_Notify)."""
WELL = """
drop function pg_catalog.pg_notify(text, text);
alter function pg_catalog.pg_notify_well(text, text) rename to pg_notify;
drop schema has_changed
"""


@pytest.fixture
async def notify(own_cluster: Cluster) -> AsyncGenerator[asyncpg.Connection[asyncpg.Record]]:
    """Connect to a database whose functions may be changed."""
    connection = await asyncpg.connect(own_cluster.database)
    yield connection
    await connection.close()


async def whole(server: Server, turn_id: str) -> list[SseEvent]:
    async with streamed(server, f"/turns/{turn_id}/stream") as events:
        return [event async for event in events]


async def until_bus(server: Server, status: str) -> dict[str, Any]:
    """Wait until a server says that its bus stands so."""
    async with server.client() as client:

        async def bus() -> dict[str, Any]:
            found: dict[str, Any] = (await client.get("/health")).json()["instance"]["bus"]
            return found

        return await until(f"a bus that is {status}", bus, lambda found: found["status"] == status)


async def test_a_listener_that_is_stuck_in_a_transaction_holds_up_no_turn_and_no_reader(cluster: Cluster) -> None:
    one, second, _ = cluster.servers
    stuck = await asyncpg.connect(cluster.database)
    await stuck.execute("listen idolchat_stuck")
    await stuck.execute("begin")
    await stuck.fetchval("select pg_current_xact_id()")
    async with streamed(one, json=body("Sing", model="mock/n64-d15")) as events:
        here = [await anext(events)]
        reading = asyncio.create_task(whole(second, here[0].data["turn_id"]))
        here += [event async for event in events]
        there = await reading
    await stuck.close()

    assert here[-2].data["choices"][0]["finish_reason"] == "stop"
    assert [event.raw for event in there] == [event.raw for event in here]


async def test_a_queue_of_notify_that_is_full_fails_no_turn_and_no_cancel_and_readers_go_on_when_it_has_room(
    own_cluster: Cluster, notify: asyncpg.Connection[asyncpg.Record]
) -> None:
    one, second, _ = own_cluster.servers
    async with streamed(one, json=body("Sing", model="mock/n64-d60")) as events, second.client() as client:
        here = [await anext(events)]
        async with streamed(second, f"/turns/{here[0].data['turn_id']}/stream") as elsewhere:
            there = [await anext(elsewhere)]
            await notify.execute(FULL)
            problem = await until_bus(one, "unavailable")
            meanwhile = await client.post("/chat", json=body("Hi", model="mock/echo"))
            async with streamed(one, json=body("Sing", model="mock/n4000-d50")) as others:
                turn_id = (await anext(others)).data["turn_id"]
                cancelled = (await client.post(f"/turns/{turn_id}/cancel")).json()
            await notify.execute(WELL)
            here += [event async for event in events]
            there += [event async for event in elsewhere]

    assert "the queue of NOTIFY is full" in problem["message"]
    assert meanwhile.status_code == 200
    assert cancelled["state"] == "cancelled"
    assert here[-2].data["choices"][0]["finish_reason"] == "stop"
    assert [event.raw for event in there] == [event.raw for event in here]
