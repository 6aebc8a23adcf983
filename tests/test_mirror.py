"""Losing the machine loses nothing that was copied, and losing the mirror costs nothing."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_core.storage import document
from idolchat_core.testing import a_conversation, until, until_so
from tests.support.copies import stored_in, until_copied
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_supabase.keys import SECRET
from tests.support.mock_supabase.server import MockSupabase
from tests.support.server import Server
from tests.support.starting import StartServer

pytestmark = pytest.mark.files("files with a mirror; tests/cluster/test_mirror.py has PostgreSQL with one")

type Start = Callable[[], Server]

PATIENCE_S = 180
MB = 1_000_000


@pytest.fixture
def start(start_server: StartServer, mock_openrouter_process: Mock, mock_supabase: MockSupabase) -> Start:
    """Return a function that starts a server which mirrors to the stand-in for Supabase."""

    def start_one() -> Server:
        return start_server(
            OPENROUTER_API_KEY="sk-or-v1-canary",
            OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
            IDOLCHAT_MODEL="mock/echo",
            SUPABASE_URL=mock_supabase.url,
            SUPABASE_SERVICE_ROLE_KEY=SECRET,
            IDOLCHAT_SUPABASE_RETRY_MAX_WAIT_S="0.01",
        )

    return start_one


def uploads(mock_supabase: MockSupabase) -> int:
    """Count the documents that were sent so far; records are not among them."""
    return sum(count for key, count in mock_supabase.state.uploads.items() if "/" not in key)


async def say(client: httpx.AsyncClient, conversation_id: str, text: str) -> None:
    body = {"messages": [{"role": "user", "content": text}], "conversation_id": conversation_id}
    response = await client.post("/chat", json=body)
    assert response.status_code == 200, response.text


async def talk(server: Server, conversation_ids: list[str], *, turns: int) -> None:
    """Have so many turns in each of these conversations, all conversations at once."""

    async def one(client: httpx.AsyncClient, conversation_id: str) -> None:
        for number in range(turns):
            await say(client, conversation_id, f"turn {number}")

    async with server.client() as client:
        await asyncio.gather(*(one(client, conversation_id) for conversation_id in conversation_ids))


async def pending(server: Server) -> int:
    """Count what a server has to copy, characters and the like included."""
    async with server.client() as client:
        left: int = (await client.get("/health")).json()["mirror"]["pending"]
    return left


async def degraded(server: Server) -> dict[str, Any]:
    """Wait until a server says that something does not work; give what it says."""
    async with asyncio.timeout(PATIENCE_S), server.client() as client:
        while True:
            health: dict[str, Any] = (await client.get("/health")).json()
            if health["status"] == "degraded":
                return health


def idol(server: Server, *arguments: str, status: int = 0) -> dict[str, Any]:
    """Run a command of ``idol`` beside a server, or in its place."""
    environment: Mapping[str, str] = {"IDOLCHAT_DATA_DIR": str(server.data), **server.environment}
    command = [sys.executable, "-m", "idolchat_cli", *arguments, "--json"]
    done = subprocess.run(command, cwd=server.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr + done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def test_five_hundred_turns_of_an_outage_arrive_when_it_is_over(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server = start()
    conversations = [str(uuid4()) for _ in range(50)]
    async with server.client() as client:
        await say(client, conversations[0], "Hello!")
    await until_copied(mock_supabase, server)
    await until("a server that has nothing left to copy", partial(pending, server), lambda left: left == 0)
    mock_supabase.stop()
    before = uploads(mock_supabase)
    for number in range(3):
        await talk(server, conversations, turns=[3, 3, 4][number])
        if number < 2:
            server.kill()
            server.start()
    health = await degraded(server)
    mock_supabase.start()
    await until_copied(mock_supabase, server)

    assert len(stored_in(server)) == 50
    assert health["mirror"]["pending"] == 50
    assert uploads(mock_supabase) - before <= 60
    assert server.log.read_text().count("a mirror can be reached again") == 1


async def test_a_lost_data_folder_comes_back(start: Start, mock_supabase: MockSupabase) -> None:
    server = start()
    conversations = [str(uuid4()) for _ in range(5)]
    await talk(server, conversations, turns=2)
    server.stop()
    lost = stored_in(server)
    assert mock_supabase.documents() == lost
    characters = characters_in(mock_supabase)
    shutil.rmtree(server.data)
    server.start()
    async with server.client() as client:
        read = await client.get(f"/conversation/{conversations[0]}")
        await say(client, conversations[1], "Do you remember?")
        deleted = await client.delete(f"/conversation/{conversations[2]}")
        unknown = await client.get(f"/conversation/{uuid4()}")
    restored = idol(server, "storage", "restore")
    await until_copied(mock_supabase, server)

    assert (read.status_code, read.content) == (200, lost[conversations[0]])
    assert (deleted.status_code, unknown.status_code) == (204, 404)
    assert len(json.loads(stored_in(server)[conversations[1]])["messages"]) == 6
    assert (restored["restored"], restored["failures"]) == (2 + len(characters), [])
    assert set(stored_in(server)) == set(conversations) - {conversations[2]}
    assert idol(server, "storage", "verify")["differing"] == []


def characters_in(mock_supabase: MockSupabase) -> dict[str, bytes]:
    """Return what the mirror has of characters, their cards and files."""
    begins = ("records/characters/", "records/assets/")
    return {key: stored.data for (_, key), stored in mock_supabase.state.objects.items() if key.startswith(begins)}


def characters_of(server: Server) -> dict[str, bytes]:
    """Return what a server has of characters, as ``characters_in``; each file ends with a checksum of ten bytes."""
    paths = [path for name in ("characters", "assets") for path in (server.data / "records" / name).iterdir()]
    return {path.relative_to(server.data).as_posix(): path.read_bytes()[:-10] for path in paths if path.name[0] != "."}


async def test_characters_come_back_and_those_that_were_deleted_do_not(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server = start()
    async with server.client() as client:
        made = [
            (await client.post("/characters", json={"name": name})).json() for name in ("Mika", "Rin", "Yui", "Aya")
        ]
        mika, rin, yui, aya = (one["id"] for one in made)
        await client.patch(f"/characters/{mika}", json={"nickname": "Mi"})
    await until_so("copies of all characters", lambda: characters_in(mock_supabase) == characters_of(server))
    mock_supabase.stop()
    async with server.client() as client:
        await client.delete(f"/characters/{rin}")
        await client.patch(f"/characters/{mika}", json={"nickname": "Mii"})
    server.kill()
    mock_supabase.start()
    server.start()
    await until_so("copies of all characters", lambda: characters_in(mock_supabase) == characters_of(server))
    kept = characters_of(server)
    server.stop()
    shutil.rmtree(server.data)
    server.start()
    async with server.client() as client:
        read = (await client.get(f"/characters/{mika}")).json()
        deleted = await client.delete(f"/characters/{yui}")
        unknown = await client.get(f"/characters/{rin}")
    restored = idol(server, "storage", "restore")
    await until_so("copies of all characters", lambda: characters_in(mock_supabase) == characters_of(server))

    assert (read["character"]["nickname"], deleted.status_code, unknown.status_code) == ("Mii", 204, 404)
    assert restored["failures"] == []
    assert characters_of(server) == {key: data for key, data in kept.items() if yui not in key}
    assert {f"records/characters/{one}" for one in (mika, aya)} <= kept.keys()
    assert idol(server, "storage", "verify")["differing"] == []


async def test_a_damaged_character_is_told_and_comes_back_from_the_mirror(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server = start()
    async with server.client() as client:
        made = (await client.post("/characters", json={"name": "Mika"})).json()
    await until_so("copies of all characters", lambda: characters_in(mock_supabase) == characters_of(server))
    before = characters_of(server)
    name = f"characters/{made['id']}"
    (server.data / "records" / name).write_bytes(b"half of it")
    verified = idol(server, "storage", "verify", status=1)
    backup = idol(server, "backup", "backup.tar.gz", status=1)
    moved = idol(server, "storage", "migrate", "--to", f"local:{server.folder / 'new'}", status=1)
    mended = idol(server, "storage", "sync")
    again = idol(server, "storage", "verify")

    assert verified["damaged_records"] == backup["damaged_records"] == [name]
    assert [failure["what"] for failure in moved["failures"]] == [f"record {name}"]
    assert [(one["difference"]["record"], one["is_mended"]) for one in mended["differences"]] == [(name, True)]
    assert (again["damaged_records"], again["differing"], characters_of(server)) == ([], [], before)


async def test_a_user_is_erased_from_records_that_only_the_mirror_has(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server, user = start(), str(uuid4())
    async with server.client() as client:
        for name, more in (("Mika", {"owner_id": user, "visibility": "private"}), ("Rin", {})):
            made = await client.post("/characters", json={"name": name, **more})
            assert made.status_code == 201, made.text
    await until_so("copies of all characters", lambda: characters_in(mock_supabase) == characters_of(server))
    before = characters_in(mock_supabase)
    server.stop()
    shutil.rmtree(server.data)
    receipt = idol(server, "users", "erase", user, "--yes")
    after = characters_in(mock_supabase)

    [gone] = before.keys() - after.keys()
    assert user.encode() in before[gone]
    assert [f"records/{one['namespace']}/{one['name']}" for one in receipt["records"]] == [gone]
    assert receipt["left"] == []


async def test_nothing_is_begun_in_place_of_what_a_mirror_that_is_down_may_hold(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server = start()
    conversation = str(uuid4())
    await talk(server, [conversation], turns=1)
    server.stop()
    shutil.rmtree(server.data)
    mock_supabase.stop()
    server.start()
    async with server.client() as client:
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        refused = [
            await client.get(f"/conversation/{conversation}"),
            await client.post("/chat", json={**body, "conversation_id": conversation}),
        ]
        begun = await client.post("/chat", json=body)
        mock_supabase.start()
        read = await client.get(f"/conversation/{conversation}")

    assert [response.status_code for response in refused] == [503, 503]
    assert (begun.status_code, read.status_code, len(read.json()["messages"])) == (200, 200, 2)


async def test_a_large_conversation_is_not_sent_at_every_turn(start: Start, mock_supabase: MockSupabase) -> None:
    server = start()
    server.stop()
    large = a_conversation(*["All of this was said long ago. " * 67] * 10_000)
    (server.data / "conversations" / f"{large.id}.json").write_bytes(document.encode(large))
    server.start()
    await until_copied(mock_supabase, server)
    before = mock_supabase.state.uploaded_bytes
    await talk(server, [str(large.id)], turns=100)
    # Where a turn took ten seconds, a copy was made between two, and 64 KiB/s allow for the next one in 320 s.
    await until_copied(mock_supabase, server, within_s=400)

    assert len(stored_in(server)[str(large.id)]) > 20 * MB
    assert mock_supabase.state.uploaded_bytes - before < 60 * MB


async def test_two_servers_share_a_bucket_without_harm(start: Start, mock_supabase: MockSupabase) -> None:
    servers = [start(), start()]
    mine = [[str(uuid4()) for _ in range(4)] for _ in servers]
    for server, conversations in zip(servers, mine, strict=True):
        await talk(server, conversations, turns=1)
    for server, conversations in zip(servers, mine, strict=True):
        async with server.client() as client:
            assert (await client.delete(f"/conversation/{conversations[0]}")).status_code == 204
        idol(server, "storage", "sync", "--mine")
    await until_copied(mock_supabase, *servers)

    assert [set(stored_in(server)) for server in servers] == [set(conversations[1:]) for conversations in mine]
