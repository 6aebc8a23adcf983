"""The main job: a conversation is held, kept and continued, over every transport."""

import json
from itertools import pairwise
from uuid import uuid4

import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.talk import TRANSPORTS, say


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_history_is_in_the_prompt_after_a_restart(
    server: Server, mock_openrouter: Mock, transport: str
) -> None:
    first = await say(transport, server, "My name is Anna.")
    server.restart()
    second = await say(transport, server, "What is my name?", conversation_id=first.conversation_id)

    assert mock_openrouter.sent() == [
        ("system", "You are Hoshino Mira."),
        ("user", "My name is Anna."),
        ("assistant", first.text),
        ("user", "What is my name?"),
    ]
    assert second.conversation_id == first.conversation_id


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_conversation_goes_on_over_any_transport(server: Server, transport: str) -> None:
    conversation_id = str(uuid4())
    for number, way in enumerate([transport, *TRANSPORTS]):
        await say(way, server, f"message {number}", conversation_id=conversation_id)
    async with server.client() as client:
        document = (await client.get(f"/conversation/{conversation_id}")).json()

    assert [message["role"] for message in document["messages"]] == ["user", "assistant"] * 4
    assert document == json.loads(server.stored(conversation_id))


@pytest.mark.parametrize("transport", ["sse", "ws"])
async def test_deltas_arrive_as_the_model_makes_them(server: Server, mock_openrouter: Mock, transport: str) -> None:
    """The mock makes 64, 15 ms apart; each is heard on its own."""
    heard = await say(transport, server, "Sing", model="mock/n64-d15")

    assert len(heard.pieces) == 64


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_usage_comes_with_the_reply(server: Server, transport: str) -> None:
    heard = await say(transport, server, "Sing", model="mock/n8-d0")
    expected = {"rest": "prompt_tokens", "sse": "prompt_tokens", "ws": "input_tokens"}

    assert heard.end["usage"][expected[transport]] > 0


async def test_users_and_characters_are_listed_by_theirs(server: Server) -> None:
    users, characters = [str(uuid4()) for _ in range(2)], [str(uuid4()) for _ in range(2)]
    for user_id in users:
        for character_id in characters:
            await say("rest", server, "Hi", user_id=user_id, character_id=character_id)
    async with server.client() as client:
        listed = (await client.get("/conversations", params={"user_id": users[0]})).json()
        one = (await client.get("/conversations", params={"user_id": users[0], "character_id": characters[1]})).json()

    times = [summary["updated_at"] for summary in listed["data"]]
    assert {summary["character_id"] for summary in listed["data"]} == set(characters)
    assert all(later <= earlier for earlier, later in pairwise(reversed(times))) or times == sorted(times, reverse=True)
    assert len(one["data"]) == 1


async def test_a_deleted_conversation_is_gone_everywhere(server: Server) -> None:
    heard = await say("rest", server, "Hi")
    async with server.client() as client:
        deleted = await client.delete(f"/conversation/{heard.conversation_id}")
        after = await client.get(f"/conversation/{heard.conversation_id}")
        listed = (await client.get("/conversations")).json()

    assert (deleted.status_code, after.status_code) == (204, 404)
    assert heard.conversation_id not in [summary["id"] for summary in listed["data"]]
    assert list(server.data.rglob(f"{heard.conversation_id}*")) == []
