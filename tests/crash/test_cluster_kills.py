"""Three servers of one PostgreSQL behind nginx, killed and stopped at random under load."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from idolchat_core.testing import until
from idolchat_storage_postgres.testing import PostgresServer
from tests.crash.conftest import Tally
from tests.support.cluster import Cluster, running_cluster
from tests.support.cluster_client import FINAL, PASSING, ClusterClient
from tests.support.cluster_load import Talkers, two_at_once
from tests.support.ledger import Ledger
from tests.support.mock_openrouter.fixture import Mock
from tests.support.zygote import ForkedServer, Zygote

FAULTS = int(os.environ.get("IDOLCHAT_CLUSTER_FAULTS", "20"))
STOPPED_S = 6.0
MOVES_AFTER = 8
"""After so many events readers go on at another server."""


@pytest.fixture
def cluster(tmp_path: Path, zygote: Zygote, postgres: PostgresServer, mock_openrouter: Mock) -> Iterator[Cluster]:
    with running_cluster(tmp_path, zygote, postgres, OPENROUTER_BASE_URL=mock_openrouter.base_url) as cluster:
        yield cluster


class Faults:
    """Kills servers and starts them again, or stops them for longer than they may be silent."""

    def __init__(self, cluster: Cluster, postgres: PostgresServer, ledger: Ledger, dice: Random) -> None:
        self._cluster, self._postgres, self._ledger, self._dice = cluster, postgres, ledger, dice
        self.taken_over_s: list[float] = []
        self.stopped: list[ForkedServer] = []

    async def happen(self) -> None:
        """Fail one server after the other."""
        for _ in range(FAULTS):
            await asyncio.sleep(self._dice.uniform(0.5, 1.5))
            server = self._dice.choice(self._cluster.servers)
            instance_id = await self._instance_of(server)
            await (self._stop(server, instance_id) if self._dice.random() < 0.3 else self._kill(server, instance_id))

    async def _kill(self, server: ForkedServer, instance_id: str) -> None:
        server.send_signal(signal.SIGKILL)
        self._ledger.lose(time.monotonic())
        server.wait()
        Tally.kills += 1
        taken_over = asyncio.create_task(self._taken_over(instance_id))
        if self._dice.random() < 0.5:
            await asyncio.to_thread(server.start)
        await taken_over
        if not server.is_running:
            await asyncio.to_thread(server.start)

    async def _stop(self, server: ForkedServer, instance_id: str) -> None:
        server.send_signal(signal.SIGSTOP)
        self._ledger.lose(time.monotonic())
        self.stopped.append(server)
        stopped = asyncio.create_task(asyncio.sleep(STOPPED_S))
        await self._taken_over(instance_id)
        await stopped
        server.send_signal(signal.SIGCONT)

    async def _taken_over(self, instance_id: str) -> None:
        """Wait until nothing is left of what an instance ran."""
        since = time.monotonic()
        await self._until(
            "0", "select count(*) from idolchat.turns where turn is not null and instance_id = ", instance_id
        )
        self.taken_over_s.append(time.monotonic() - since)

    async def _instance_of(self, server: ForkedServer) -> str:
        return await self._until(
            None, "select id from idolchat.instances where split_part(address, ':', 2) = ", str(server.pid)
        )

    async def _until(self, wanted: str | None, select: str, value: str) -> str:
        """Ask until the database gives what is wanted; None: anything."""
        database = self._cluster.database.rpartition("/")[2]
        look = partial(asyncio.to_thread, self._postgres.query, f"{select}'{value}'", database=database)
        return await until(select, look, lambda found: found == wanted or (wanted is None and found))


async def test_no_message_is_lost_or_doubled_when_servers_are_killed_and_stopped(
    cluster: Cluster, postgres: PostgresServer, dice: Random
) -> None:
    ledger = Ledger()
    async with cluster.client() as http:
        client = ClusterClient(cluster, http, ledger, moves_after=MOVES_AFTER)
        talkers, faults = Talkers(client, dice), Faults(cluster, postgres, ledger, dice)
        talking = asyncio.create_task(talkers.run())
        happening = asyncio.create_task(faults.happen())
        await asyncio.wait({talking, happening}, return_when=asyncio.FIRST_COMPLETED)
        talkers.stop()
        await happening
        await talking

        documents = [await client.document(conversation_id) for conversation_id in ledger.conversations]
    assert [difference for document in documents for difference in ledger.differences(document)] == []
    assert [two for document in documents for two in two_at_once(document)] == []
    assert set(client.codes) <= PASSING | FINAL | {"lost"}
    assert client.moved
    Tally.notes.append(
        f"{len(ledger.sent)} turns on three servers, {FAULTS} of which failed; taken over within"
        f" {max(faults.taken_over_s):.1f} s at most; {client.moved} times a reader went on at another server,"
        f" {client.rescued} times because its own was lost; {dict(client.codes)}"
    )
