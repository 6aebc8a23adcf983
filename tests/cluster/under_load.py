"""Servers under load, and what is to be true of them whatever has happened."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import asyncpg
import httpx

from idolchat_core.testing import until, until_so
from idolchat_storage_postgres.coordination.member import Timing
from tests.support.cluster import Cluster
from tests.support.cluster_client import FINAL, PASSING, ClusterClient
from tests.support.cluster_load import Talkers, two_at_once
from tests.support.ledger import Ledger
from tests.support.server import Server

__all__ = [
    "SAVED",
    "document_of",
    "logs_of",
    "see_that_nobody_was_interrupted",
    "see_who_was_taken_for_dead",
    "under_load",
    "until_answered",
    "until_lived_on",
    "until_logged",
    "until_ready",
    "until_said",
    "until_true",
    "until_unheard",
]

SAVED = "select length(turn->>'content') > 0 from idolchat.turns where conversation_id = $1"
"""Whether something is kept of what the turn of a conversation has said."""

DIED = "a process that serves the database has died"
TOO_BUSY_S = 0.5
"""Where a task that has nothing else to do has to wait so long for its turn, others were silent for seconds."""
LOOK_EVERY_S = 0.05
ANSWERS = 30
"""Replies after which all servers have worked."""
TIMING = Timing()
SILENT = re.compile(r"has not heard of this process for (\d+) s")


@asynccontextmanager
async def under_load(cluster: Cluster) -> AsyncGenerator[ClusterClient]:
    """Send turns meanwhile, and compare what is stored with what the clients were told."""
    ledger = Ledger()
    async with cluster.client() as http:
        client = ClusterClient(cluster, http, ledger)
        talkers = Talkers(client, Random(str(cluster.nginx.port)))
        talking, watching = asyncio.create_task(talkers.run()), asyncio.create_task(_watch(client))
        try:
            yield client
            await until_so("ten messages", lambda: len(ledger.sent) > 10)
        finally:
            talkers.stop()
            watching.cancel()
        await talking
        documents = [await client.document(conversation_id) for conversation_id in ledger.conversations]
    assert [difference for document in documents for difference in ledger.differences(document)] == []
    assert [two for document in documents for two in two_at_once(document)] == []
    assert set(client.codes) <= PASSING | FINAL | {"lost"}


async def _watch(client: ClusterClient) -> None:
    """Take note of how long this process has to wait where the machine is busy."""
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(LOOK_EVERY_S)
        client.longest_wait_s = max(client.longest_wait_s, loop.time() - before - LOOK_EVERY_S)


def see_who_was_taken_for_dead(cluster: Cluster, client: ClusterClient, *, killed: int = 0) -> None:
    """Assert that those who were killed were taken for dead, and, unless the machine held everybody up, nobody else."""
    found = logs_of(cluster).count(DIED)
    assert found >= killed
    assert found == killed or client.longest_wait_s > TOO_BUSY_S


def see_that_nobody_was_interrupted(client: ClusterClient) -> None:
    """Assert that no turn was interrupted, unless the machine held everybody up."""
    assert "interrupted" not in client.codes or client.longest_wait_s > TOO_BUSY_S


def logs_of(cluster: Cluster) -> str:
    return "".join(server.log.read_text() for server in cluster.servers)


async def until_ready(server: Server, *, status: int = 200) -> httpx.Response:
    async with server.client() as client:
        look = partial(client.get, "/readyz")
        return await until(f"readiness of {status}", look, lambda ready: ready.status_code == status)


async def until_unheard(server: Server) -> None:
    """Wait until the database has not heard of a server for longer than others may be silent that are not dead."""

    async def message() -> str:
        instance = (await until_ready(server, status=503)).json()["instance"]
        return str(instance.get("message", ""))

    def is_silent(message: str) -> bool:
        silent = SILENT.search(message)
        return silent is not None and int(silent[1]) > TIMING.dead_s

    await until("a silence after which a process is dead", message, is_silent)


async def until_lived_on(cluster: Cluster) -> None:
    """Wait until all servers have said that they live, so much later that who is silent from now on would be dead."""
    now = await _asked(cluster, "select clock_timestamp()")
    dead_at = now + timedelta(seconds=TIMING.dead_s + TIMING.beat_s)
    live = "select count(*) = $2 from idolchat.instances where seen_at > $1"
    await until_true(cluster, live, dead_at, len(cluster.servers))


async def until_true(cluster: Cluster, question: str, *given: object) -> None:
    """Wait until the database says yes."""
    await until(question, partial(_asked, cluster, question, *given))


async def _asked(cluster: Cluster, question: str, *given: object) -> Any:
    connection = await asyncpg.connect(cluster.database)
    try:
        return await connection.fetchval(question, *given)
    finally:
        await connection.close()


async def until_answered(client: ClusterClient) -> None:
    """Wait until clients have got a number of replies more."""

    async def answered() -> int:
        return sum(one.message_id is not None for one in client.ledger.sent)

    wanted = ANSWERS + await answered()
    await until(f"{wanted} replies", answered, lambda number: number >= wanted)


async def document_of(server: Server, conversation_id: str) -> dict[str, Any]:
    """Read a conversation through a server."""
    async with server.client() as client:
        document: dict[str, Any] = (await client.get(f"/conversation/{conversation_id}")).json()
    return document


async def until_said(server: Server, conversation_id: str) -> dict[str, Any]:
    """Wait until the last message of a conversation is a reply that is over, and return the conversation."""
    look = partial(document_of, server, conversation_id)
    return await until("a reply that is over", look, lambda document: "finish_reason" in document["messages"][-1])


async def until_logged(server: Server, text: str) -> None:
    """Wait until a server has logged something."""
    await until_so(f"{text!r} in the log", lambda: text in server.log.read_text())
