"""What a companion keeps of a user: notes, facts from their own words, and what a summary stands for."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_core.testing import until
from tests.support.idol import idol_json
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

KILLS = 3

type Start = Callable[..., Server]


@pytest.fixture
def start(start_server: StartServer, mock_openrouter: Mock) -> Start:
    """Starts a server whose model says again what it was told."""

    def started(**environment: str) -> Server:
        return start_server(
            OPENROUTER_API_KEY="sk-or-v1-canary",
            OPENROUTER_BASE_URL=mock_openrouter.base_url,
            IDOLCHAT_MODEL="mock/echo",
            IDOLCHAT_MEMORY_SEMANTIC="off",
            SYSTEM_PROMPT="You are Hoshino Mira.",
            **environment,
        )

    return started


async def say(server: Server, text: str, **fields: Any) -> dict[str, Any]:
    async with server.client() as client:
        reply = await client.post("/chat", json={"messages": [{"role": "user", "content": text}], **fields})
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def notes(server: Server, user: str) -> list[dict[str, Any]]:
    async with server.client() as client:
        page = (await client.get("/memory", params={"user_id": user, "superseded": True})).json()
    found: list[dict[str, Any]] = page["data"]
    return found


def statement(number: int) -> str:
    """Say something in such a way that a model that repeats it draws a fact from it."""
    fact = {"message": 1, "quote": f"I own {number} cats", "fact": f"The user owns {number} cats."}
    return f"I own {number} cats. " + json.dumps({"facts": [fact | {"about": f"cats {number}"}]})


def prompt(mock: Mock) -> str:
    """Show the last prompt of a turn."""
    bodies = [body for body in mock.bodies() if "Hoshino" in str(body["messages"][0]["content"])]
    return "\n".join(str(message["content"]) for message in bodies[-1]["messages"][:-1])


async def test_a_note_is_in_the_next_prompt_until_a_command_deletes_it(start: Start, mock_openrouter: Mock) -> None:
    server, user = start(), str(uuid4())
    async with server.client() as client:
        body = {"text": "Calls me Captain", "pinned": True, "user_id": user}
        note = (await client.post("/memory", json=body)).json()
    server.restart()
    await say(server, "Hello", user_id=user)
    assert "Calls me Captain" in prompt(mock_openrouter)
    listed = idol_json(server.folder, "memory", "notes", "list", "--user", user, environment=server.environment)
    assert [one["id"] for one in listed["data"]] == [note["id"]]
    deleting = ("memory", "notes", "delete", note["id"], "--user", user, "--yes")
    assert idol_json(server.folder, *deleting, environment=server.environment) == {"deleted": 1}

    async def is_gone() -> bool:
        await say(server, "Hello again", user_id=user)
        return "Captain" not in prompt(mock_openrouter)

    await until("a prompt without the note", is_gone)


async def test_facts_are_drawn_once_through_crashes_and_metered(start: Start, mock_openrouter: Mock) -> None:
    server, user = start(IDOLCHAT_MEMORY_FACTS="true", IDOLCHAT_MEMORY_FACTS_EVERY="1"), str(uuid4())
    told = 0
    conversation: dict[str, Any] = {"user_id": user}
    for _ in range(KILLS):
        for _ in range(3):
            told += 1
            answer = await say(server, statement(told), **conversation)
            conversation["conversation_id"] = answer["conversation_id"]
        server.kill()
        server.start()

    async def were_all_shown() -> bool:
        asked = [body["messages"] for body in mock_openrouter.bodies() if "numbered" in body["messages"][0]["content"]]
        shown = "\n".join(str(messages[1]["content"]) for messages in asked)
        return all(f"I own {number} cats." in shown for number in range(1, told + 1))

    await until("prompts with all that was said", were_all_shown)
    last = statement(told + 1)
    await say(server, last, **conversation)

    async def is_noted() -> bool:
        return f"The user owns {told + 1} cats." in [note["text"] for note in await notes(server, user)]

    await until("a note of it", is_noted)
    found = await notes(server, user)
    texts = [note["text"] for note in found]
    usage = idol_json(server.folder, "usage", "show", "--by", "purpose", environment=server.environment)

    assert len(set(texts)) == len(texts)
    assert all(note["sources"][0]["quote"] in statement(int(note["text"].split()[3])) for note in found)
    assert "memory" in json.dumps(usage)


async def test_a_summary_stands_for_what_was_cut_and_goes_with_what_it_covers(
    start: Start, mock_openrouter: Mock
) -> None:
    server = start(IDOLCHAT_CONTEXT_LENGTH="1200", IDOLCHAT_MEMORY_SUMMARY_MODEL="mock/n8-d0")
    first = await say(server, "0: la la la la la la la la", user_id=str(uuid4()))
    where = f"/conversation/{first['conversation_id']}"
    window: dict[str, Any] = {}
    async with server.client() as client:
        for number in range(1, 80):
            await say(server, f"{number}: la la la la la la la la", conversation_id=first["conversation_id"])
            window = (await client.get(f"{where}/window")).json()
            if "summary" in window:
                break
    assert window["is_cut"]
    assert window["left_out_messages"] > 0
    server.kill()
    server.start()
    async with server.client() as client:
        await say(server, "Go on", conversation_id=first["conversation_id"])
        assert "word0 word1" in prompt(mock_openrouter)
        await _delete(client, f"{where}/messages/{first['user_message_id']}")
        await say(server, "And on", conversation_id=first["conversation_id"])
        assert "word0 word1" not in prompt(mock_openrouter)


async def _delete(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.delete(path)).status_code == 204
