"""A plugin that follows changes, over kills of the server and of commands beside it."""

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from random import Random
from uuid import UUID

import httpx
import pytest

from idolchat_core.testing import until
from idolchat_storage_local import LocalSettings, open_local_storage
from tests.crash.conftest import Tally
from tests.crash.journal import FILE
from tests.crash.neighbours import Neighbours
from tests.support.faults import compile_shim
from tests.support.mock_openrouter.fixture import Mock

ROUNDS = int(os.environ.get("IDOLCHAT_NEIGHBOUR_ROUNDS", "5"))
LONG_AGO = "2024-02-29T12:00:00Z"
USERS = ("5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e", "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55")


@pytest.fixture
def neighbours(tmp_path: Path, mock_openrouter: Mock) -> Iterator[Neighbours]:
    """A server with the journal, not started yet."""
    shim = compile_shim(tmp_path)
    neighbours = Neighbours(tmp_path / "neighbours", shim, mock_openrouter)
    neighbours.install("journal", "tests.crash.journal")
    yield neighbours
    if neighbours.server.is_running:
        neighbours.server.kill()


async def talk(url: str, dice: Random, conversations: list[str]) -> None:
    """Say something, begin, branch and delete, until the server has gone."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        while True:
            if len(conversations) < 6 or dice.random() < 0.2:
                where = {"user_id": dice.choice(USERS)}
            else:
                where = {"conversation_id": dice.choice(conversations)}
            body = {"messages": [{"role": "user", "content": f"{dice.random()}"}], "on_busy": "rollback", **where}
            reply = await client.post("/chat", json=body)
            if reply.status_code == 200 and "user_id" in where:
                conversations.append(reply.json()["conversation_id"])
            if dice.random() < 0.1 and conversations:
                await client.delete(f"/conversation/{conversations.pop(0)}")


async def command(neighbours: Neighbours, dice: Random, conversations: list[str]) -> None:
    """Import over a conversation, fork, delete or erase; half of the commands are killed at some call."""
    one = dice.choice(conversations or [USERS[0]])
    document = neighbours.folder / "imported.json"
    message = {"role": "user", "content": f"imported {dice.random()}", "timestamp": LONG_AGO}
    made = {"id": one, "created_at": LONG_AGO, "updated_at": LONG_AGO, "messages": [message]}
    document.write_text(json.dumps(made))
    commands = (
        ("conversations", "import", str(document), "--on-conflict", "overwrite"),
        ("conversations", "fork", one),
        ("conversations", "delete", one, "--yes"),
        ("users", "erase", dice.choice(USERS), "--yes"),
    )
    kill_at = dice.randint(1, 12) if dice.random() < 0.5 else None
    status, printed = await neighbours.idol(*dice.choice(commands), kill_at=kill_at)
    assert status in (0, 1, -signal.SIGKILL), printed
    Tally.kills += status == -signal.SIGKILL


async def one_round(neighbours: Neighbours, dice: Random, conversations: list[str]) -> None:
    """Serve, talk and run commands until the server is killed."""
    neighbours.server.start()
    talking = [asyncio.create_task(talk(neighbours.server.url, dice, conversations)) for _ in range(3)]
    await asyncio.gather(*(command(neighbours, dice, conversations) for _ in range(2)))
    neighbours.faults.kill_at(dice.randint(1, 40))
    for task in talking:
        with suppress(httpx.TransportError):
            await task
    assert neighbours.server.stop() == -signal.SIGKILL  # it is dead already
    Tally.kills += 1
    neighbours.faults.release()


def told(folder: Path) -> tuple[list[tuple[str, str | None]], dict[str, str]]:
    """Read the journal: what was told, in order, and what is noted."""
    with closing(sqlite3.connect(folder / FILE)) as file:
        lines = file.execute("SELECT id, revision FROM told ORDER BY number").fetchall()
        return lines, dict(file.execute("SELECT id, revision FROM noted").fetchall())


async def stored(data: Path) -> dict[str, str]:
    """Read the revisions of all that is stored."""
    async with open_local_storage(LocalSettings(data_dir=data)) as storage:
        await storage.settle()
        pages = {one: await storage.read_page(UUID(str(one)), limit=1) for one in await storage.list_ids()}
    return {str(one): page.revision for one, page in pages.items()}


async def test_an_observer_misses_nothing_and_is_told_nothing_twice(neighbours: Neighbours, dice: Random) -> None:
    conversations: list[str] = []
    for _ in range(ROUNDS):
        await one_round(neighbours, dice, conversations)
    neighbours.server.start()

    async def is_told_all() -> bool:
        return told(neighbours.folder)[1] == await stored(neighbours.data)

    await until("an observer that has noted all that is stored", is_told_all, within_s=90)
    neighbours.server.stop()

    lines, noted = told(neighbours.folder)
    by_conversation = [[revision for one, revision in lines if one == it] for it in {one for one, _ in lines}]
    assert [it for it in by_conversation if any(before == after for before, after in pairwise(it))] == []
    assert noted
