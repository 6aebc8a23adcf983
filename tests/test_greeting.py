"""A character of the library speaks first, over each transport, and is answered with what she brings."""

from typing import Any

import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.talk import TRANSPORTS, say

CARD: dict[str, Any] = {
    "name": "Rin",
    "description": "A singer.",
    "first_mes": "Hi, {{user}}! I am {{char}}.",
    "alternate_greetings": ["You again, {{user}}?"],
    "visibility": "public",
    "model": "mock/echo-c4096",
    "sampling": {"temperature": 0.7, "max_tokens": 50},
}


async def create(server: Server, **fields: Any) -> str:
    async with server.client() as client:
        made = await client.post("/characters", json={**CARD, **fields})
    assert made.status_code == 201, made.text
    character_id: str = made.json()["id"]
    return character_id


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_the_model_is_sent_begins_with_her_greeting(
    server: Server, mock_openrouter: Mock, transport: str
) -> None:
    character_id = await create(server)
    first = await say(transport, server, "I am Ada.", character_id=character_id)
    server.restart()
    await say(transport, server, "Who am I?", conversation_id=first.conversation_id, temperature=0.1)

    body = mock_openrouter.bodies()[-1]
    assert mock_openrouter.sent() == [
        ("system", "You are Hoshino Mira."),
        ("system", "A singer."),
        ("assistant", "Hi, User! I am Rin."),
        ("user", "I am Ada."),
        ("assistant", "I am Ada."),
        ("user", "Who am I?"),
    ]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("mock/echo-c4096", 0.1, 50)


async def test_another_greeting_is_chosen_and_kept_by_edit_and_regenerate(
    server: Server, mock_openrouter: Mock
) -> None:
    character_id = await create(server)
    async with server.client() as client:
        begun = (await client.post("/conversations", json={"character_id": character_id})).json()
        path = f"/conversation/{begun['id']}"
        await client.patch(path, json={"head": begun["messages"][1]["id"]})
        first = await say("rest", server, "One", conversation_id=begun["id"])
        question = first.end["user_message_id"]
        edited = {"messages": [{"role": "user", "content": "Two"}]}
        await client.post(f"{path}/messages/{question}/edit", json=edited)
        await client.post(f"{path}/regenerate")
        document = (await client.get(path)).json()

    assert mock_openrouter.sent()[-2:] == [("assistant", "You again, User?"), ("user", "Two")]
    assert document["messages"][:2] == begun["messages"]


async def test_a_branch_of_another_greeting_is_its_own_conversation(server: Server, mock_openrouter: Mock) -> None:
    character_id = await create(server)
    first = await say("rest", server, "One", character_id=character_id)
    async with server.client() as client:
        path = f"/conversation/{first.conversation_id}"
        messages = (await client.get(path)).json()["messages"]
        await client.patch(path, json={"head": messages[1]["id"]})
        await say("rest", server, "Two", conversation_id=first.conversation_id)

    assert [message["content"] for message in messages] == ["Hi, User! I am Rin.", "You again, User?", "One", "One"]
    assert mock_openrouter.sent()[-2:] == [("assistant", "You again, User?"), ("user", "Two")]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_several_characters_answer_each_with_her_own_card(
    server: Server, mock_openrouter: Mock, transport: str
) -> None:
    names = [f"{name} {transport.title()}" for name in ("Rin", "Mika")]
    made = [await create(server, name=name, description=f"{name} sings.", model=None) for name in names]
    async with server.client() as client:
        asked = {"character_ids": made, "next_speaker": "in_turn"}
        begun = (await client.post("/conversations", json=asked)).json()
    await say(transport, server, "Sing!", conversation_id=begun["id"])
    server.restart()
    await say(transport, server, "And you?", conversation_id=begun["id"])

    told, card, *heard = mock_openrouter.sent()[1:]
    assert f"you are {names[0]}." in told[1]
    assert card == ("system", f"{names[0]} sings.")
    assert heard == [
        ("assistant", f"Hi, User! I am {names[0]}."),
        ("user", "Sing!"),
        ("assistant", f"{names[1]}: Sing!"),
        ("user", "And you?"),
    ]
    async with server.client() as client:
        lists = [(await client.get("/conversations", params={"character_id": one})).json()["data"] for one in made]
        found = (await client.get("/conversations/search", params={"text": "Sing", "character_id": made[1]})).json()
    assert [[summary["id"] for summary in listed] for listed in lists] == [[begun["id"]]] * 2
    assert {hit["conversation_id"] for hit in found["data"]} == {begun["id"]}
