"""A mirror of a PostgreSQL: one of the servers copies what all of them store, and another goes on where it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_core.testing import until
from idolchat_storage_postgres.testing import PostgresServer
from tests.support.cluster import PLUGINS, Cluster, running_cluster
from tests.support.idol import idol
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_supabase.keys import SECRET
from tests.support.mock_supabase.server import MockSupabase
from tests.support.talk import body
from tests.support.zygote import ForkedServer, Zygote

PATIENCE_S = 60
TOKEN = "sixteen-characters-and-more"
CONVERSATIONS = 12


@pytest.fixture
def cluster(
    tmp_path: Path, forking: Zygote, postgres: PostgresServer, mock_openrouter: Mock, mock_supabase: MockSupabase
) -> Iterator[Cluster]:
    """Run two servers with one mirror."""
    environment: dict[str, Any] = {
        "IDOLCHAT_METRICS_TOKEN": TOKEN,
        "IDOLCHAT_MODEL": "mock/echo",
        "IDOLCHAT_PLUGINS": f"{PLUGINS},storage-supabase",
        "IDOLCHAT_STORAGE": "postgres,supabase",
        "IDOLCHAT_SUPABASE_RETRY_MAX_WAIT_S": "0.01",
        "OPENROUTER_BASE_URL": mock_openrouter.base_url,
        "SUPABASE_SERVICE_ROLE_KEY": SECRET,
        "SUPABASE_URL": mock_supabase.url,
    }
    with running_cluster(tmp_path, forking, postgres, count=2, **environment) as cluster:
        yield cluster


async def mirror_of(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return what a server tells of its mirror, once one copies."""

    async def mirror() -> dict[str, Any]:
        found: dict[str, Any] = (await client.get("/health")).json()["mirror"]
        return found

    return await until(
        "a server that copies", mirror, lambda found: found["mirrors"][0]["copied_by"], within_s=PATIENCE_S
    )


async def copier(cluster: Cluster) -> ForkedServer:
    """Return the server that copies, on which all agree."""

    async def named() -> set[str]:
        """Return the process that copies, as each server says."""
        found = set()
        for server in cluster.servers:
            async with cluster.client(server) as client:
                found.add((await mirror_of(client))["mirrors"][0]["copied_by"].rpartition(":")[2])
        return found

    servers = {str(server.pid): server for server in cluster.servers}
    [pid] = await until(
        "a server of these, of which all say that it copies",
        named,
        lambda found: len(found) == 1 and found <= servers.keys(),
        within_s=PATIENCE_S,
    )
    return servers[pid]


async def say(client: httpx.AsyncClient, text: str, conversation_id: str) -> None:
    answer = await client.post("/chat", json=body(text, conversation_id=conversation_id))
    assert answer.status_code == 200, answer.text


async def stored(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return every conversation of the database."""
    listed = (await client.get("/conversations", params={"limit": 100})).json()["data"]
    return {one["id"]: (await client.get(f"/conversation/{one['id']}")).json() for one in listed}


def copied(mock_supabase: MockSupabase) -> dict[str, Any]:
    """Return every conversation of the mirror."""
    return {key: json.loads(document) for key, document in mock_supabase.documents().items()}


async def is_complete(client: httpx.AsyncClient, mock_supabase: MockSupabase) -> None:
    """Wait until the mirror has what the database has."""

    async def lacking() -> set[str]:
        there, here = copied(mock_supabase), await stored(client)
        return {key for key in there.keys() | here.keys() if there.get(key) != here.get(key)}

    await until("a mirror that has all conversations as they are", lacking, lambda ids: not ids, within_s=PATIENCE_S)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_another_server_goes_on_copying_where_one_was_killed_or_stands_still(
    cluster: Cluster, mock_supabase: MockSupabase, how: signal.Signals
) -> None:
    first = await copier(cluster)
    (other,) = (server for server in cluster.servers if server is not first)
    conversations = [str(uuid4()) for _ in range(CONVERSATIONS)]
    mock_supabase.stop()  # so that nothing of what follows is copied by the first
    async with cluster.client(first) as client:
        await asyncio.gather(*(say(client, "Hello!", one) for one in conversations))
        await client.delete(f"/conversation/{conversations.pop()}")
    first.send_signal(how)
    mock_supabase.start()
    async with cluster.client(other) as client:
        await asyncio.gather(*(say(client, "And again!", one) for one in conversations))
        await is_complete(client, mock_supabase)
        mirror = await mirror_of(client)
        assert mirror["mirrors"][0]["copied_by"].rpartition(":")[2] == str(other.pid)
        if how is signal.SIGSTOP:
            first.send_signal(signal.SIGCONT)
            await say(client, "One more!", conversations[0])
            await is_complete(client, mock_supabase)
        found = copied(mock_supabase)

    assert found.keys() == set(conversations)
    assert {len(one["messages"]) for one in found.values()} <= {4, 6}


async def test_a_server_that_stops_leaves_the_copying_to_another_and_the_doctor_knows(
    cluster: Cluster, mock_supabase: MockSupabase
) -> None:
    first = await copier(cluster)
    (other,) = (server for server in cluster.servers if server is not first)
    its_process = other.pid
    environment = {**os.environ, **first.environment}
    async with cluster.client(first) as client:
        await say(client, "Hello!", str(uuid4()))
    await asyncio.to_thread(first.stop)
    async with cluster.client(other) as client:
        await is_complete(client, mock_supabase)
        await until(
            f"process {its_process} to copy",
            lambda: mirror_of(client),
            lambda mirror: str(its_process) in mirror["mirrors"][0]["copied_by"],
            within_s=PATIENCE_S,
        )
        metrics = (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).text
    well = await asyncio.to_thread(idol, other.folder, "doctor", environment=environment)
    await asyncio.to_thread(other.stop)
    alone = await asyncio.to_thread(idol, other.folder, "doctor", environment=environment)

    assert 'idolchat_mirror_copied_here{mirror="supabase"} 1.0' in metrics
    assert f":{its_process} copies to supabase: all is copied" in well.stdout.replace("\n", " ")
    assert "no server copies to supabase now" in alone.stdout
