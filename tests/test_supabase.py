"""Conversations in Supabase: as copies of what is here, or there alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from idolchat_core.testing import until, until_so
from tests.support.copies import stored_in, until_copied
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_supabase.keys import EXPIRED, SECRET
from tests.support.mock_supabase.server import MockSupabase
from tests.support.mock_supabase.state import Fault
from tests.support.server import Server
from tests.support.starting import StartServer
from tests.support.talk import TRANSPORTS, say_rest

pytestmark = pytest.mark.files("conversations are in Supabase, alone or beside files")

PATIENCE_S = 60
ANN, MIKU = "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55", "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e56"

type Start = Callable[..., Server]


@pytest.fixture
def start(start_server: StartServer, mock_openrouter_process: Mock, mock_supabase: MockSupabase) -> Start:
    """Return a function that starts a server which copies to the stand-in, or keeps conversations there alone."""

    def started(**environment: str) -> Server:
        return start_server(
            **{
                "OPENROUTER_API_KEY": "sk-or-v1-canary",
                "OPENROUTER_BASE_URL": mock_openrouter_process.base_url,
                "IDOLCHAT_MODEL": "mock/echo",
                "SUPABASE_URL": mock_supabase.url,
                "SUPABASE_SERVICE_ROLE_KEY": SECRET,
                "NO_PROXY": "127.0.0.1",
                **environment,
            }
        )

    return started


def run_idol(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ``idol`` beside a server."""
    environment = {"IDOLCHAT_DATA_DIR": str(server.data), **server.environment}
    command = [sys.executable, "-m", "idolchat_cli", *arguments]
    return subprocess.run(command, cwd=server.folder, env=environment, capture_output=True, text=True, check=False)


async def health(server: Server) -> dict[str, Any]:
    async with server.client() as client:
        found: dict[str, Any] = (await client.get("/health")).json()
    return found


async def test_what_is_said_by_each_transport_is_in_the_object_and_the_row(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server = start()
    for say in TRANSPORTS.values():
        await say(server, "Hello!", user_id=ANN, character_id=MIKU, conversation_id=str(uuid4()))
    local = stored_in(server)
    await until_copied(mock_supabase, server)
    await until_so("a row of each", lambda: len(mock_supabase.state.rows or ()) == len(TRANSPORTS))

    assert len(local) == len(TRANSPORTS)
    assert mock_supabase.state.rows
    for conversation_id, row in mock_supabase.state.rows.items():
        document = json.loads(local[conversation_id])
        assert datetime.fromisoformat(row["updated_at"]) == datetime.fromisoformat(document["updated_at"])
        assert (row["user_id"], row["character_id"]) == (ANN, MIKU)
    assert mock_supabase.state.buckets["conversations"]["public"] is False


async def test_supabase_alone_serves_each_transport_and_remembers(start: Start, mock_supabase: MockSupabase) -> None:
    server = start(IDOLCHAT_STORAGE="supabase")
    said = [await say(server, "Hello!", user_id=ANN) for say in TRANSPORTS.values()]
    again = await say_rest(server, "And again", conversation_id=said[0].conversation_id)
    server.restart()
    async with server.client() as client:
        served = {heard.conversation_id: (await client.get(f"/conversation/{heard.conversation_id}")) for heard in said}
        listed = (await client.get("/conversations", params={"user_id": ANN})).json()["data"]
        turn = await client.get(f"/turns/{again.turn_id}")

    assert {key: response.content for key, response in served.items()} == mock_supabase.documents()
    assert {item["id"] for item in listed} == served.keys()
    assert turn.json()["state"] == "completed", turn.text
    assert len(served[said[0].conversation_id].json()["messages"]) == 4
    assert not stored_in(server)
    assert server.log.read_text().count("only one server may write a conversation") == 2


async def test_supabase_alone_says_so_while_it_is_away_and_loses_nothing(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server = start(IDOLCHAT_STORAGE="supabase", IDOLCHAT_SUPABASE_RETRIES="0", IDOLCHAT_SUPABASE_CACHE_AGE_S="0")
    first = await say_rest(server, "Hello!")
    before = mock_supabase.documents()
    body = {"messages": [{"role": "user", "content": "x"}], "conversation_id": first.conversation_id}
    async with server.client() as client:
        for fault in Fault:
            with mock_supabase.failing(fault):
                read = await client.get(f"/conversation/{first.conversation_id}")
            assert (read.status_code, read.json()["error"]["code"]) == (503, "storage_unavailable"), fault
        mock_supabase.stop()
        refused = await client.post("/chat", json=body)
        about = await health(server)
        mock_supabase.start()
        read = await client.get(f"/conversation/{first.conversation_id}")

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "storage_unavailable")
    assert about["status"] != "ok"
    assert read.content == mock_supabase.documents()[first.conversation_id] == before[first.conversation_id]


@pytest.mark.parametrize("is_begun", [True, False])
async def test_supabase_alone_stores_once_what_is_sent_again_after_an_answer_was_lost(
    start: Start, mock_supabase: MockSupabase, *, is_begun: bool
) -> None:
    server = start(IDOLCHAT_STORAGE="supabase", IDOLCHAT_SUPABASE_RETRIES="0")
    body = {"messages": [{"role": "user", "content": "Sing!"}], "conversation_id": str(uuid4())}
    if is_begun:
        await say_rest(server, "Hi", conversation_id=body["conversation_id"])
    mock_supabase.fail_next(Fault.RESET_AFTER, call="POST /object/conversations/tails/")
    async with server.client() as client:
        sent = [await client.post("/chat", json=body, headers={"Idempotency-Key": '"sing"'}) for _ in range(3)]
        read = await client.get(f"/conversation/{body['conversation_id']}")

    said = [message["content"] for message in read.json()["messages"]]
    assert [response.status_code for response in sent] == [503, 200, 200]
    assert said == ["Hi", "Hi", "Sing!", "Sing!"][-len(said) :]
    assert len(said) == (4 if is_begun else 2)


async def test_supabase_alone_keeps_what_was_said_when_it_is_killed_before_the_reply(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server = start(IDOLCHAT_STORAGE="supabase", IDOLCHAT_MODEL="mock/echo-d100")
    first = await say_rest(server, "Hi", conversation_id=str(uuid4()), model="mock/echo")
    begun = [first.conversation_id, str(uuid4())]
    for conversation_id in begun:
        body = {"messages": [{"role": "user", "content": "so " * 50}], "conversation_id": conversation_id}
        async with server.client() as client, client.stream("POST", "/chat/stream", json=body) as answer:
            await anext(answer.aiter_bytes())  # it has begun, so the message is acknowledged
    documents = mock_supabase.documents()
    server.kill()
    server.start()
    async with server.client() as client:
        read = [(await client.get(f"/conversation/{one}")).json()["messages"] for one in begun]
        listed = {one["id"]: one["message_count"] for one in (await client.get("/conversations")).json()["data"]}
    await say_rest(server, "Go on", conversation_id=begun[1], model="mock/echo")

    assert {key: len(json.loads(data)["messages"]) for key, data in documents.items()} == {begun[0]: 2}
    assert [[message["content"] for message in messages if message["role"] == "user"] for messages in read] == [
        ["Hi", "so " * 50],
        ["so " * 50],
    ]
    assert listed == {one: len(messages) for one, messages in zip(begun, read, strict=True)}
    said = [message["content"] for message in json.loads(mock_supabase.documents()[begun[1]])["messages"]]
    assert (said[0], said[-2]) == ("so " * 50, "Go on")


async def test_supabase_alone_starts_while_it_is_away(start: Start, mock_supabase: MockSupabase) -> None:
    mock_supabase.stop()
    server = start(IDOLCHAT_STORAGE="supabase", IDOLCHAT_SUPABASE_RETRIES="0")
    body = {"messages": [{"role": "user", "content": "Hello!"}]}
    async with server.client() as client:
        refused = await client.post("/chat", json=body)
        mock_supabase.start()
        answered = await until(
            "an answer", partial(client.post, "/chat", json=body), lambda one: one.status_code != 503
        )

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "storage_unavailable")
    assert answered.status_code == 200


async def test_a_bucket_that_is_lost_and_made_again_gets_everything_and_no_reading_command_makes_it(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server = start()
    said = await say_rest(server, "Hello!")
    await until_copied(mock_supabase, server)
    mock_supabase.drop_bucket()
    verified = run_idol(server, "storage", "verify")
    assert mock_supabase.state.buckets == {}
    other = await say_rest(server, "Hello again!")
    await until_so("a line about the table", lambda: "is not there or" in server.log.read_text())
    mock_supabase.add_bucket()
    await until_copied(mock_supabase, server)

    assert verified.returncode != 0
    assert stored_in(server).keys() == {said.conversation_id, other.conversation_id}


async def test_an_expired_key_costs_nothing_here_and_is_told(start: Start, mock_supabase: MockSupabase) -> None:
    server = start(SUPABASE_SERVICE_ROLE_KEY=EXPIRED)
    said = await say_rest(server, "Hello!")
    await until_so("a line about the key", lambda: "SUPABASE_SERVICE_ROLE_KEY has expired" in server.log.read_text())
    about = await health(server)

    assert said.conversation_id in stored_in(server)
    assert (about["status"], mock_supabase.documents()) == ("degraded", {})
    assert EXPIRED not in server.log.read_text() + json.dumps(about)


async def test_a_missing_table_and_a_document_that_is_too_large_hold_up_nothing(
    start: Start, mock_supabase: MockSupabase
) -> None:
    mock_supabase.state.rows = None
    mock_supabase.state.max_bytes = 2_000
    server = start(IDOLCHAT_CHARACTERS_STARTER="off")  # her picture is larger
    large = await say_rest(server, "x" * 3_000)
    small = await say_rest(server, "small")
    await until_so("the copy of the small one", lambda: small.conversation_id in mock_supabase.documents())
    await until("the large one alone", partial(health, server), lambda told: told["mirror"]["pending"] == 1)

    assert large.conversation_id not in mock_supabase.documents()
    mock_supabase.state.max_bytes = 1_000_000
    await until_copied(mock_supabase, server)


async def test_a_bucket_that_goes_missing_is_told_and_made_at_the_next_start(
    start: Start, mock_supabase: MockSupabase
) -> None:
    server = start()
    await say_rest(server, "Hello!")
    await until_copied(mock_supabase, server)
    mock_supabase.drop_bucket()
    await say_rest(server, "Hello again!")
    await until_so("a line about the table", lambda: "is not there or" in server.log.read_text())
    assert mock_supabase.state.buckets == {}
    server.restart()
    await until_so("a copy", lambda: len(mock_supabase.documents()) >= 1)


def test_an_address_without_a_key_stops_the_start(start: Start) -> None:
    with pytest.raises(AssertionError, match="SUPABASE_URL is set, but SUPABASE_SERVICE_ROLE_KEY is not"):
        start(SUPABASE_SERVICE_ROLE_KEY="")
