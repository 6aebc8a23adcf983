"""What is limited is limited for all servers of a PostgreSQL together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from idolchat_core.testing import until
from idolchat_storage_postgres.testing import PostgresServer
from tests.support.cluster import Cluster, running_cluster
from tests.support.idol import idol
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.talk import body
from tests.support.zygote import Zygote


@pytest.fixture
def limited(tmp_path: Path, forking: Zygote, postgres: PostgresServer, mock_openrouter: Mock) -> Iterator[Cluster]:
    upstream = mock_openrouter.base_url
    with running_cluster(
        tmp_path, forking, postgres, count=2, OPENROUTER_BASE_URL=upstream, IDOLCHAT_BUDGET_DAILY_COST="0.00005"
    ) as cluster:
        yield cluster


async def refused(server: Server, code: str) -> None:
    """Wait until a server refuses a turn for this reason."""
    async with server.client() as client:

        async def answer() -> object:
            reply = await client.post("/chat", json=body("Hi", model="mock/x400"))  # costs nothing where it is let in
            return reply.json()["error"]["code"]

        await until(f"a turn that is refused with {code}", answer, lambda found: found == code)


async def test_what_one_server_spends_counts_against_the_budget_at_the_others(limited: Cluster) -> None:
    one, second = limited.servers
    async with one.client() as client:
        assert (await client.post("/chat", json=body("Hi", model="mock/j200"))).status_code == 200

    await refused(second, "insufficient_quota")
    await asyncio.to_thread(second.restart)
    await refused(second, "insufficient_quota")


async def test_spending_is_stopped_at_all_servers(limited: Cluster, tmp_path: Path) -> None:
    done = await asyncio.to_thread(idol, tmp_path, "usage", "stop", environment=limited.servers[0].full_environment())
    assert done.returncode == 0, done.stderr

    for server in limited.servers:
        await refused(server, "spending_stopped")
