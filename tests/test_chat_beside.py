"""`idol chat` on the data of a running server talks to that server."""

import asyncio
import json
import os
import stat
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from idolchat_cli.chatting.partner import RunningServer
from idolchat_cli.chatting.talk import Talk
from idolchat_core.storage.server_address import running_server
from tests.support.idol import IDOL
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

pytestmark = pytest.mark.files("`idol chat` finds a server by its data folder; on a database it answers itself")

ADDRESS = "server.json"


async def chat(folder: Path, text: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Send one message through a pipe."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), **settings}
    command = [str(IDOL), "chat", *arguments]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, input=text, cwd=folder, env=env, capture_output=True, text=True, check=False)

    return await asyncio.to_thread(run)


async def test_a_message_waits_for_the_servers_turn_and_both_replies_are_stored(
    server: Server, mock_openrouter: Mock
) -> None:
    conversation_id = str(uuid4())
    slow = {"messages": [{"role": "user", "content": "said to the server " * 4}], "model": "mock/echo-d30"}
    async with server.client() as client, asyncio.timeout(60):
        body = slow | {"conversation_id": conversation_id, "stream": True}
        running = asyncio.create_task(client.post("/chat/stream", json=body))
        await mock_openrouter.wait(streams=1)
        done = await chat(server.folder, "said in the terminal", "--conversation", conversation_id)
        await running
        messages = (await client.get(f"/conversation/{conversation_id}")).json()["messages"]

    assert (done.returncode, done.stdout) == (0, "said in the terminal\n")
    assert [(message["role"], message.get("finish_reason")) for message in messages] == [
        ("user", None), ("assistant", "stop"), ("user", None), ("assistant", "stop"),
    ]  # fmt: skip


async def test_the_owner_of_the_data_needs_no_key_and_nobody_else_gets_in(
    start_server: StartServer, mock_openrouter: Mock
) -> None:
    server = start_server(
        OPENROUTER_API_KEY="sk-or-v1-canary",
        OPENROUTER_BASE_URL=mock_openrouter.base_url,
        IDOLCHAT_MODEL="mock/echo",
        IDOLCHAT_AUTH="api-key",
    )
    address = server.data / ADDRESS
    mode = stat.S_IMODE(address.stat().st_mode)
    token = json.loads(address.read_text())["token"]
    done = await chat(server.folder, "Hello", "--system", "Be brief.")
    async with server.client() as client:
        wrong = await client.get("/conversations", headers={"Authorization": f"Bearer {token[:-1]}"})
    server.stop()

    assert (mode, done.returncode, done.stdout) == (0o600, 0, "Hello\n")
    assert (wrong.status_code, address.exists()) == (401, False)


async def test_an_address_that_others_can_read_is_not_believed(server: Server) -> None:
    address = server.data / ADDRESS
    address.chmod(0o644)
    done = await chat(server.folder, "Hello")
    address.chmod(0o600)

    assert done.returncode == 1
    assert "can be read or was written by other users" in done.stderr


async def test_what_the_server_refuses_is_said(server: Server) -> None:
    done = await chat(server.folder, "Hello", "--conversation", str(uuid4()))

    assert (done.returncode, done.stdout) == (1, "")
    assert "no conversation" in done.stderr


async def test_a_server_that_is_killed_ends_the_reply_with_a_reason(server: Server, mock_openrouter: Mock) -> None:
    chatting = asyncio.create_task(chat(server.folder, "and so on " * 40, "--model", "mock/echo-d30"))
    await mock_openrouter.wait(streams=1)
    server.kill()
    done = await chatting

    assert done.returncode == 1
    assert "does not answer" in done.stderr


async def test_a_server_that_was_killed_leaves_the_chat_its_own_engine(server: Server) -> None:
    server.kill()
    is_left = (server.data / ADDRESS).exists()
    done = await chat(server.folder, "Hi", IDOLCHAT_LLM="nowhere")

    assert is_left
    assert "IDOLCHAT_LLM names 'nowhere'" in done.stderr


async def test_a_reply_is_made_anew_and_a_message_edited_by_the_server(server: Server) -> None:
    address = running_server(server.data)
    assert address
    talk, heard, stop = Talk(partner=RunningServer(address), conversation_id=None), list[str](), asyncio.Event()
    said = [
        await talk.say("Hello", hear=heard.append, stop=stop),
        await talk.regenerate(hear=heard.append, stop=stop),
        await talk.edit("Hello again", hear=heard.append, stop=stop),
    ]
    async with server.client() as client:
        messages = (await client.get(f"/conversation/{talk.conversation_id}")).json()["messages"]

    assert ([ended.state for ended in said], "".join(heard)) == (["completed"] * 3, "HelloHelloHello again")
    assert [message["content"] for message in messages] == ["Hello", "Hello", "Hello", "Hello again", "Hello again"]


async def test_a_character_of_the_server_speaks_first(server: Server, mock_openrouter: Mock) -> None:
    card = {"name": "Rin", "first_mes": "Hi, {{user}}!", "alternate_greetings": ["You again?"], "visibility": "public"}
    async with server.client() as client:
        made = await client.post("/characters", json=card)
        done = await chat(server.folder, "Me.", "--character", "rin")
        unknown = await chat(server.folder, "Me.", "--character", "miku")
        listed = (await client.get("/conversations", params={"character_id": made.json()["id"]})).json()["data"]
        messages = (await client.get(f"/conversation/{listed[0]['id']}")).json()["messages"]

    assert (done.returncode, done.stdout, len(listed)) == (0, "Me.\n", 1)
    assert [message["content"] for message in messages] == ["Hi, User!", "You again?", "Me.", "Me."]
    assert (unknown.returncode, "no character 'miku'" in unknown.stderr) == (1, True)
    sent = [message["content"] for message in mock_openrouter.bodies()[-1]["messages"]]
    assert sent[-2:] == ["Hi, User!", "Me."]
