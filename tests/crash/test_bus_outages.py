"""Servers of one PostgreSQL whose Redis is flushed, stopped and started under readers at other servers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_bus_redis.testing import RedisServer, running_redis
from idolchat_core.testing import until
from idolchat_storage_postgres.testing import PostgresServer, running_postgres
from tests.support.cluster import Cluster, running_cluster
from tests.support.mock_openrouter.fixture import Mock
from tests.support.zygote import Zygote

TURNS = 12
WORDS = 150
PLUGINS = "storage-postgres,llm-openrouter,bus-redis"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres(options=["max_connections=200"]) as server:
        yield server


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def cluster(
    tmp_path: Path, zygote: Zygote, postgres: PostgresServer, redis: RedisServer, mock_openrouter: Mock
) -> Iterator[Cluster]:
    with running_cluster(
        tmp_path,
        zygote,
        postgres,
        count=2,
        OPENROUTER_BASE_URL=mock_openrouter.base_url,
        IDOLCHAT_PLUGINS=PLUGINS,
        IDOLCHAT_BUS="redis",
        IDOLCHAT_REDIS_URL=redis.url,
    ) as cluster:
        yield cluster


def asking(model: str = "mock/echo-d30", *, words: int = WORDS) -> dict[str, Any]:
    text = " ".join(f"word{number}" for number in range(words))
    return {"messages": [{"role": "user", "content": text}], "model": model, "conversation_id": str(uuid4())}


async def begun(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[str, asyncio.Task[httpx.Response]]:
    """Begin a turn, and return its id and the reading of it."""
    reading = asyncio.create_task(client.post("/chat/stream", json=body))
    look = partial(client.get, f"/conversation/{body['conversation_id']}")
    page = await until("the message", look, lambda page: page.status_code == 200)
    return page.json()["messages"][0]["turn_id"], reading


async def until_bus(client: httpx.AsyncClient, status: str) -> dict[str, Any]:
    """Wait until a server says that its bus stands so, and return all that it says."""

    async def health() -> dict[str, Any]:
        told: dict[str, Any] = (await client.get("/health")).json()
        return told

    return await until(f"a bus that is {status}", health, lambda told: told["instance"]["bus"]["status"] == status)


async def first_bytes(client: httpx.AsyncClient, turn_id: str, begun: asyncio.Event) -> str:
    async with client.stream("GET", f"/turns/{turn_id}/stream") as said:
        text = ""
        async for chunk in said.aiter_text():
            begun.set()
            text += chunk
    return text


async def test_readers_at_another_server_go_on_when_redis_is_back_and_no_turn_fails(
    cluster: Cluster, redis: RedisServer
) -> None:
    owner, other = cluster.servers
    async with cluster.client(owner) as here, cluster.client(other) as there:
        turns = [await begun(here, asking()) for _ in range(TURNS)]
        events = [asyncio.Event() for _ in turns]
        followed = [
            asyncio.create_task(first_bytes(there, turn_id, event))
            for (turn_id, _), event in zip(turns, events, strict=True)
        ]
        for event in events:
            await event.wait()
        redis.command("FLUSHALL")
        redis.stop()
        health = await until_bus(there, "unavailable")
        meanwhile = await there.post("/chat", json=asking("mock/echo"))
        redis.start()
        said = [await reading for _, reading in turns]
        elsewhere = await asyncio.gather(*followed)
        stored = [(await there.get(f"/turns/{turn_id}")).json() for turn_id, _ in turns]
        again = [(await here.get(f"/turns/{turn_id}/stream")).text for turn_id, _ in turns]

    assert (health["status"], meanwhile.status_code) == ("degraded", 200)
    assert {response.status_code for response in said} == {200}
    assert {turn["state"] for turn in stored} == {"completed"}
    assert all(f"word{WORDS - 1}" in turn["content"] for turn in stored)
    assert elsewhere == again


async def test_a_reader_whose_server_is_stopped_for_so_long_that_redis_closes_its_inbox_reads_on(
    cluster: Cluster, redis: RedisServer
) -> None:
    redis.command("CONFIG", "SET", "client-output-buffer-limit", "pubsub 65536 0 0")
    owner, other = cluster.servers
    async with cluster.client(owner) as here, cluster.client(other) as there:
        before = inboxes(redis)
        turn_id, reading = await begun(here, asking(words=40))
        event = asyncio.Event()
        followed = asyncio.create_task(first_bytes(there, turn_id, event))
        await event.wait()
        other.send_signal(signal.SIGSTOP)
        while len(inboxes(redis)) == len(before):  # what others tell it fills the buffers of both sides
            for inbox in before:
                redis.command("PUBLISH", inbox, "x" * 1_000_000)
        said = await reading
        other.send_signal(signal.SIGCONT)
        elsewhere = await followed
        again = (await here.get(f"/turns/{turn_id}/stream")).text

    assert said.status_code == 200
    assert '"state":"completed"' in elsewhere
    assert elsewhere == again


def inboxes(redis: RedisServer) -> list[str]:
    """List the channels that somebody listens to."""
    return [word for word in redis.command("PUBSUB", "CHANNELS").decode().split() if word.startswith("idolchat:")]


async def test_a_turn_is_stopped_through_another_server_while_redis_is_away(
    cluster: Cluster, redis: RedisServer
) -> None:
    owner, other = cluster.servers
    async with cluster.client(owner) as here, cluster.client(other) as there:
        turn_id, reading = await begun(here, asking())
        redis.stop()
        stopped = (await there.post(f"/turns/{turn_id}/cancel")).json()
        await reading
        stored = (await there.get(f"/turns/{turn_id}")).json()

    assert (stopped["state"], stored["state"]) == ("cancelled", "cancelled")
    assert f"word{WORDS - 1}" not in stored["content"]
