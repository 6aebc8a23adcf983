"""Commands that change conversations beside a running server: it acts on what they have done before it goes on."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from idolchat_core.coordination.contract import UnfinishedTurn
from idolchat_core.mirror.outbox import Outbox
from idolchat_core.storage.changes import ChangeKind
from idolchat_core.testing import a_message, until
from idolchat_storage_local import LocalSettings, open_local_storage
from tests.support.idol import idol
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.storages import STORAGE_OF_TESTS

USER = "5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e"
COMMANDS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "users erase": lambda _: ("users", "erase", USER, "--yes"),
    "conversations delete": lambda conversation_id: ("conversations", "delete", conversation_id, "--yes"),
}


def kept(data: Path, text: str) -> list[str]:
    """List the files, or the tables of a database in their place, that hold a text."""
    found = STORAGE_OF_TESTS.tables_with(data, text)
    return on_disk(data, text) if found is None else found


def on_disk(data: Path, text: str) -> list[str]:
    found = []
    for path in data.rglob("*"):
        with suppress(FileNotFoundError, IsADirectoryError):  # the server replaces and removes files meanwhile
            if text.encode() in path.read_bytes():
                found.append(str(path.relative_to(data)))
    return found


async def until_kept(data: Path, text: str, *places: str) -> None:
    """Wait until a text is in one of the folders or tables that begin so."""
    look = partial(asyncio.to_thread, kept, data, text)
    await until(f"{text!r} in {places}", look, lambda found: any(place.startswith(places) for place in found))


async def send(client: httpx.AsyncClient, conversation_id: str, text: str) -> None:
    body = {"messages": [{"role": "user", "content": text}], "model": "mock/echo-d100", "user_id": USER}
    await client.post("/chat/stream", json=body | {"conversation_id": conversation_id, "stream": True})


@pytest.mark.parametrize("name", COMMANDS)
async def test_nothing_of_a_running_or_waiting_turn_comes_back(
    server: Server, mock_openrouter: Mock, name: str
) -> None:
    conversation_id = str(uuid4())
    async with server.client() as client, asyncio.timeout(60):
        running = asyncio.create_task(send(client, conversation_id, "a secret that is said " * 40))
        await mock_openrouter.wait_for_replies(1)
        waiting = asyncio.create_task(send(client, conversation_id, "a whisper that waits"))
        await until_kept(server.data, "a whisper that waits", "")
        await until_kept(server.data, "a secret that is said", "records", "idolchat.turns")  # the reply so far
        done = await asyncio.to_thread(idol, server.folder, *COMMANDS[name](conversation_id))
        left = [kept(server.data, text) for text in ("a secret", "a whisper")]
        await asyncio.wait({running, waiting})
        gone = (await client.get(f"/conversation/{conversation_id}")).status_code
    server.restart()
    left += [kept(server.data, text) for text in ("a secret", "a whisper")]

    assert done.returncode == 0, done.stderr
    assert (left, gone) == ([[]] * 4, 404)


@pytest.mark.files("puts down what a command has left beside a storage that no server of it runs on")
async def test_a_server_that_was_away_brings_back_nothing_that_was_deleted(
    server: Server, mock_openrouter: Mock
) -> None:
    """The command was killed between the deletion and what it does for turns that a crash has left."""
    conversation_id = str(uuid4())
    turn = UnfinishedTurn(
        turn_id=uuid4(),
        conversation_id=UUID(conversation_id),
        user_message_id=uuid4(),
        message_id=uuid4(),
        messages=(a_message("a whisper that waits"),),
    )
    server.stop()
    async with open_local_storage(LocalSettings(data_dir=server.data)) as storage:
        await storage.put_record("turns", str(turn.turn_id), turn.model_dump_json(exclude_unset=True).encode())
        await Outbox(storage, "server").add(turn.conversation_id, ChangeKind.DELETED)
    server.start()
    async with server.client() as client:
        gone = (await client.get(f"/conversation/{conversation_id}")).status_code

    assert (gone, on_disk(server.data, "a whisper")) == (404, [])
