"""Requests leave nothing in memory: each kind of them, good or bad, once what is kept of the first ones is there."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from benchmarks.soak import SETTINGS, Soak

from tests.support import held
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.storages import STORAGE_OF_TESTS

COMMAND = (sys.executable, str(Path(held.__file__)), "serve")
CONVERSATIONS = 20
ROUNDS = 25
PATIENCE_S = 60
DRIVERS = frozenset({"asyncpg.connection.Connection", "asyncpg.protocol.protocol.PreparedStatementState"})
"""What a driver keeps, and makes when two happen to ask at once: another connection, on it a statement once more.

Each is some dozens of objects; where a count has met one, and not one a round, it is made again.
"""
NOTHING_KEPT = {"IDOLCHAT_HISTORY_BYTES": "0", "IDOLCHAT_TURN_RETENTION_BYTES": "0"}
KINDS = (
    "whole",
    "streamed",
    "read_conversation",
    "listed",
    "malformed",
    "unknown",
    "leaving",
    "cancelled",
    "told_again",
    "faulty_provider",
    "deleted",
    "of_new_users",
)


class Requests(Soak):
    """The requests of the soak, and some that leave no conversation behind."""

    async def deleted(self) -> None:
        await self.begun_and_deleted()

    async def of_new_users(self) -> None:
        await self.begun_and_deleted(user_id=str(uuid4()))

    async def begun_and_deleted(self, **more: object) -> None:
        conversation_id = new_conversation_id()
        begun = self.body() | {"conversation_id": conversation_id} | more
        await self.send("POST", "/chat", json=begun)
        await self.send("DELETE", f"/conversation/{conversation_id}")
        assert self.statuses[204], self.statuses


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, mock_openrouter_process: Mock) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("held")
    environment = SETTINGS | NOTHING_KEPT | {"OPENROUTER_BASE_URL": mock_openrouter_process.base_url}
    environment |= {
        "IDOLCHAT_PLUGINS": f"storage-{STORAGE_OF_TESTS.name},llm-openrouter",
        "HELD": str(folder / "report.json"),
    }
    with Server(folder, environment, command=COMMAND) as started:
        objects(started)  # the first count leaves something itself
        yield started


@pytest.fixture
async def requests(server: Server) -> AsyncIterator[Requests]:
    async with aiohttp.ClientSession(server.url) as client:
        yield Requests(client, server, [new_conversation_id() for _ in range(CONVERSATIONS)], random.Random(0))


@pytest.mark.parametrize("kind", KINDS)
async def test_requests_leave_no_objects(kind: str, server: Server, requests: Requests) -> None:
    for conversation_id in requests.conversations:
        await requests.send("POST", "/chat", json=requests.body(conversation_id=conversation_id))
    for each in KINDS:  # what only first requests need is imported and made then
        await getattr(requests, each)()
    await repeat(kind, requests)
    before = await asyncio.to_thread(objects, server)
    assert STORAGE_OF_TESTS.name == "local" or before.keys() >= DRIVERS
    await repeat(kind, requests)
    give_up_at = time.monotonic() + PATIENCE_S
    while grown := growth(before, after := await asyncio.to_thread(objects, server)):
        if DRIVERS.isdisjoint(grown) and any(before.get(one) != after.get(one) for one in DRIVERS):
            before = after
            await repeat(kind, requests)
            give_up_at = time.monotonic() + PATIENCE_S
        assert time.monotonic() < give_up_at, grown  # what is asked of the provider afterwards takes a moment


async def repeat(kind: str, requests: Requests) -> None:
    for _ in range(ROUNDS):
        await getattr(requests, kind)()
    await requests.settle()
    # The newest history is kept however small the room for them is: it has two messages whenever it is counted.
    await requests.send("POST", "/chat", json=requests.body(conversation_id=new_conversation_id()))
    await requests.settle()


def new_conversation_id() -> str:
    """Make up an id whose conversation lies in a folder that is there: which folders are is kept, all 256 of them."""
    return f"{uuid4()}"[:-2] + "00"


def objects(server: Server) -> dict[str, int]:
    """Count what the server holds, by kind."""
    report = Path(server.environment["HELD"])
    report.unlink(missing_ok=True)
    os.kill(server.pid, signal.SIGUSR1)
    give_up_at = time.monotonic() + PATIENCE_S
    while not report.exists():
        assert time.monotonic() < give_up_at, server.log.read_text()
        time.sleep(0.02)
    found: dict[str, int] = json.loads(report.read_text())
    return found


def growth(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return by how much each kind has grown of which there is one more for every round, or nearly."""
    more = {kind: count - before.get(kind, 0) for kind, count in after.items()}
    return {kind: count for kind, count in more.items() if count > ROUNDS * 0.75}
