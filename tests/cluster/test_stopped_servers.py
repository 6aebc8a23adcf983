"""A server is stopped for longer than it may be silent: what it still has to store is refused, or was stored before."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.cluster.under_load import SAVED, document_of, until_logged, until_ready, until_said, until_true
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.stream import streamed
from tests.support.talk import body

type Database = asyncpg.Connection[asyncpg.Record]

BURIED = "select not exists (select from idolchat.instances where id = $1)"
WAITS = "select exists (select from pg_locks where locktype = 'advisory' and objid = $1 and not granted)"
LOCK = 4242
SLOW_REPLIES = f"""
create function idolchat.wait_for_test() returns trigger language plpgsql as $$ begin
  perform pg_advisory_xact_lock({LOCK});
  return new;
end $$;
create trigger wait_for_test before insert on idolchat.messages
  for each row when (new.line->>'role' = 'assistant') execute function idolchat.wait_for_test();
"""
"""A reply is stored as long as somebody holds the lock: by then, it is checked that the turn has its place."""


@pytest.fixture
async def database(cluster: Cluster) -> AsyncGenerator[Database]:
    connection: Database = await asyncpg.connect(cluster.database)
    yield connection
    await connection.close()


async def instance_of(server: Server) -> str:
    return str((await until_ready(server)).json()["instance"]["id"])


def replies_of(document: dict[str, Any]) -> list[tuple[str, str]]:
    replies = [message for message in document["messages"] if message["role"] == "assistant"]
    return [(reply["finish_reason"], reply["content"]) for reply in replies]


async def test_what_a_server_has_to_say_when_it_wakes_is_refused_and_another_goes_on_before(
    cluster: Cluster, database: Database
) -> None:
    one, second, _ = cluster.servers
    conversation_id, was = str(uuid4()), await instance_of(one)
    async with streamed(one, json=body("Sing", model="mock/n4000-d50", conversation_id=conversation_id)) as events:
        await anext(events)
        await until_true(cluster, SAVED, UUID(conversation_id))
        one.send_signal(signal.SIGSTOP)
        async with second.client() as client:
            instead = body("Stop!", model="mock/echo", conversation_id=conversation_id, on_busy="interrupt")
            answer = await client.post("/chat", json=instead)
        before = await document_of(second, conversation_id)
        one.send_signal(signal.SIGCONT)
        rest = [event async for event in events]
    await until_logged(one, "has ended a turn")
    await until_logged(one, "the others have taken this process for dead")

    assert answer.status_code == 200
    assert [reason for reason, _ in replies_of(before)] == ["interrupted", "stop"]
    assert replies_of(before)[0][1]
    assert await document_of(second, conversation_id) == before
    assert await document_of(one, conversation_id) == before
    assert rest[-2].data["error"]["code"] == "interrupted"
    assert await instance_of(one) != was


async def test_a_reply_whose_commit_is_being_made_when_its_server_is_stopped_is_stored_once(
    cluster: Cluster, database: Database
) -> None:
    one, second, _ = cluster.servers
    conversation_id, was = str(uuid4()), await instance_of(one)
    await database.execute(SLOW_REPLIES)
    await database.execute("select pg_advisory_lock($1)", LOCK)
    async with streamed(one, json=body("Sing", model="mock/n8", conversation_id=conversation_id)) as events:
        await until_true(cluster, WAITS, LOCK)
        one.send_signal(signal.SIGSTOP)
        await until_true(cluster, BURIED, UUID(was))
        await database.execute("select pg_advisory_unlock($1)", LOCK)
        before = await until_said(second, conversation_id)
        one.send_signal(signal.SIGCONT)
        rest = [event async for event in events]
    await until_logged(one, "the others have taken this process for dead")

    assert [reason for reason, _ in replies_of(before)] == ["stop"]
    assert await document_of(second, conversation_id) == before
    assert rest[-2].data["choices"][0]["finish_reason"] == "stop"
