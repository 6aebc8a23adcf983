"""A character from her card to her voice: greetings, persona, lore and examples, over each transport."""

import json
from typing import Any

import httpx
import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.talk import TRANSPORTS, hear, say, say_over, socket, tell

CARD = {
    "spec": "chara_card_v3",
    "spec_version": "3.0",
    "data": {
        "name": "Aoi",
        "description": "{{char}} sings for {{user}}.",
        "personality": "cheerful",
        "scenario": "Backstage.",
        "system_prompt": "{{original}}Be {{char}}.",
        "post_history_instructions": "Stay {{char}}.",
        "first_mes": "Hi, {{user}}!",
        "alternate_greetings": ["You again, {{user}}?"],
        "mes_example": "<START>\n{{user}}: Hi\n{{char}}: Hello!",
        "character_book": {"entries": [{"keys": ["stage"], "content": "The stage is {{char}}'s.", "id": 1}]},
    },
}
PREFIX = [
    ("system", "You are Hoshino Mira."),
    ("system", "Be Aoi."),
    ("system", "Aoi sings for Anna."),
    ("system", "Aoi's personality: cheerful"),
    ("system", "Scenario: Backstage."),
    ("system", "Anna collects records."),
    ("system", "[Example Chat]"),
    ("system", "Hi"),
    ("system", "Hello!"),
]


async def asked(client: httpx.AsyncClient, method: str, path: str, **body: Any) -> Any:
    reply = await client.request(method, path, **body)
    assert reply.status_code in (200, 201, 204), reply.text
    return reply.json() if reply.content else None


async def cast(client: httpx.AsyncClient) -> tuple[str, str]:
    """Import the card, and a persona; return the ids of both."""
    imported = await asked(client, "POST", "/characters/import?visibility=public", content=json.dumps(CARD).encode())
    anna = {"name": "Anna", "description": "{{user}} collects records."}
    return imported["character"]["id"], (await asked(client, "POST", "/personas", json=anna))["id"]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_model_is_sent_each_part_in_its_place(server: Server, mock_openrouter: Mock, transport: str) -> None:
    async with server.client() as client:
        character_id, persona_id = await cast(client)
        made = await asked(
            client, "POST", "/conversations", json={"character_id": character_id, "persona_id": persona_id}
        )
        first, other = made["messages"]
        await asked(client, "PATCH", f"/conversation/{made['id']}", json={"head": other["id"]})
        heard = await say(transport, server, "To the stage, {{char}}!", conversation_id=made["id"])
        swiped = mock_openrouter.sent()
        again = await say(transport, server, "And now?", conversation_id=made["id"])
        continued = mock_openrouter.sent()
        await asked(client, "POST", f"/conversation/{made['id']}/regenerate", json={})
        document = await asked(client, "GET", f"/conversation/{made['id']}")

    said = [("assistant", "You again, Anna?"), ("user", "To the stage, {{char}}!")]
    lore, last = ("system", "The stage is Aoi's."), ("system", "Stay Aoi.")
    assert (first["content"], other["content"]) == ("Hi, Anna!", "You again, Anna?")
    assert swiped == [*PREFIX, said[0], lore, said[1], last]
    assert continued[: len(PREFIX) + 3] == [*PREFIX, *said, ("assistant", heard.text)]
    assert continued[-2:] == [("user", "And now?"), last]
    assert mock_openrouter.sent() == continued
    assert [message["content"] for message in document["messages"][:2]] == ["Hi, Anna!", "You again, Anna?"]
    assert again.conversation_id == made["id"]


async def test_a_socket_begins_with_the_greeting(server: Server, mock_openrouter: Mock) -> None:
    async with server.client() as client:
        character_id, persona_id = await cast(client)
    async with socket(server) as opened:
        await tell(opened, type="start_conversation", character_id=character_id, persona_id=persona_id)
        started = await hear(opened)
        await say_over(opened, "Where is the stage?", conversation_id=started["conversation_id"])

    greeting, question = ("assistant", "Hi, Anna!"), ("user", "Where is the stage?")
    assert mock_openrouter.sent()[len(PREFIX) :] == [
        greeting,
        ("system", "The stage is Aoi's."),
        question,
        ("system", "Stay Aoi."),
    ]


async def test_the_first_message_of_a_chat_is_stored_behind_the_greeting(server: Server, mock_openrouter: Mock) -> None:
    async with server.client() as client:
        character_id, persona_id = await cast(client)
        await asked(client, "PUT", "/personas", json={"default_id": persona_id})
        heard = await say("rest", server, "Hello", character_id=character_id)
        document = await asked(client, "GET", f"/conversation/{heard.conversation_id}")

    assert mock_openrouter.sent()[len(PREFIX) :] == [
        ("assistant", "Hi, Anna!"),
        ("user", "Hello"),
        ("system", "Stay Aoi."),
    ]
    assert {message["content"] for message in document["messages"]} >= {"Hi, Anna!", "Hello", heard.text}


async def test_a_regenerated_reply_has_the_lore_of_the_first(server: Server, mock_openrouter: Mock) -> None:
    """Chance comes out as it did, and the next turn rolls anew."""
    entries = [
        {"keys": ["stage"], "content": f"Entry {n}.", "id": n, "extensions": {"probability": 50, "selectiveLogic": 0}}
        for n in range(40)
    ]
    fields = {"name": "Ren", "visibility": "public", "character_book": {"entries": entries}}
    async with server.client() as client:
        ren = (await asked(client, "POST", "/characters", json=fields))["id"]
        heard = await say("rest", server, "To the stage", character_id=ren)
        first = mock_openrouter.sent()
        await asked(client, "POST", f"/conversation/{heard.conversation_id}/regenerate", json={})
        second = mock_openrouter.sent()
        await say("rest", server, "To the stage", conversation_id=heard.conversation_id)

    assert first == second
    assert [text for role, text in first if role == "system"] != [
        text for role, text in mock_openrouter.sent() if role == "system"
    ]
