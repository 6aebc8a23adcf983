"""Personas over HTTP, and what they change in prompts."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_characters.library import library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

type Headers = dict[str, str]


async def new(client: httpx.AsyncClient, who: Headers, name: str, **fields: Any) -> dict[str, Any]:
    reply = await client.post("/personas", json={"name": name, **fields}, headers=who)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def say(client: httpx.AsyncClient, who: Headers, text: str, **fields: Any) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": text}], **fields}
    reply = await client.post("/chat", json=body, headers=who)
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json()
    return said


def sent(provider: ScriptedProvider) -> list[str]:
    return [str(message["content"]) for message in provider.requests[-1].messages]


@pytest.fixture
async def mika(storage: InMemoryStorage) -> str:
    fields = {"name": "Mika", "description": "{{char}} knows {{user}}.", "visibility": "public"}
    return str((await library_of(storage).create_from(fields, OPERATOR)).id)


async def test_the_first_persona_is_the_default_and_another_can_be(client: httpx.AsyncClient, ana: Headers) -> None:
    first, second = await new(client, ana, "Ana"), await new(client, ana, "Captain", description="Of a ship.")
    before = (await client.get("/personas", headers=ana)).json()
    after = (await client.put("/personas", json={"default_id": second["id"]}, headers=ana)).json()

    assert [one["name"] for one in before["personas"]] == ["Ana", "Captain"]
    assert (before["default_id"], after["default_id"]) == (first["id"], second["id"])


async def test_the_default_persona_is_in_the_prompt_and_gives_the_user_her_name(
    client: httpx.AsyncClient, ana: Headers, provider: ScriptedProvider, mika: str
) -> None:
    await new(client, ana, "Ana", description="{{user}} collects records.")
    await say(client, ana, "Hi", character_id=mika)

    assert sent(provider)[1:] == ["Mika knows Ana.", "Ana collects records.", "Hi"]


async def test_a_conversation_has_the_persona_that_was_chosen_for_it(
    client: httpx.AsyncClient, ana: Headers, provider: ScriptedProvider, mika: str
) -> None:
    await new(client, ana, "Ana")
    captain = await new(client, ana, "Captain")
    said = await say(client, ana, "Hi", character_id=mika)
    path = f"/conversation/{said['conversation_id']}/persona"
    chosen = await client.put(path, json={"persona_id": captain["id"]}, headers=ana)
    await say(client, ana, "Again", conversation_id=said["conversation_id"])
    changed = sent(provider)
    await say(client, ana, "Hi", character_id=mika)

    assert (chosen.json()["name"], (await client.get(path, headers=ana)).json()["name"]) == ("Captain", "Captain")
    assert "Mika knows Captain." in changed
    assert "Mika knows Ana." in sent(provider)


async def test_a_renamed_persona_has_its_new_name_from_the_next_turn_on_and_nothing_said_is_rewritten(
    client: httpx.AsyncClient, ana: Headers, provider: ScriptedProvider, mika: str
) -> None:
    made = await new(client, ana, "Ana")
    said = await say(client, ana, "I am Ana.", character_id=mika)
    await client.patch(f"/personas/{made['id']}", json={"name": "Anna"}, headers=ana)
    await say(client, ana, "Again", conversation_id=said["conversation_id"])
    document = (await client.get(f"/conversation/{said['conversation_id']}", headers=ana)).json()

    assert sent(provider)[1:3] == ["Mika knows Anna.", "I am Ana."]
    assert document["messages"][0]["content"] == "I am Ana."


async def test_without_the_persona_that_was_deleted_the_user_is_user(
    client: httpx.AsyncClient, ana: Headers, provider: ScriptedProvider, mika: str
) -> None:
    made = await new(client, ana, "Ana")
    deleted = await client.delete(f"/personas/{made['id']}", headers=ana)
    await say(client, ana, "Hi", character_id=mika)

    assert deleted.status_code == 204
    assert sent(provider)[1:] == ["Mika knows User.", "Hi"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_anothers_persona_is_answered_like_an_unknown_one(
    client: httpx.AsyncClient, ana: Headers, ben: Headers, method: str
) -> None:
    known, unknown = (await new(client, ana, "Ana"))["id"], str(uuid4())
    body = {"name": "x"} if method == "PATCH" else None
    replies = [await client.request(method, f"/personas/{it}", headers=ben, json=body) for it in (known, unknown)]

    assert [reply.status_code for reply in replies] == [404, 404]
    messages = [reply.json()["error"]["message"] for reply in replies]
    assert messages[0].replace(known, unknown) == messages[1]


async def test_anothers_persona_cannot_be_played(
    client: httpx.AsyncClient, ana: Headers, ben: Headers, mika: str
) -> None:
    persona_id = (await new(client, ana, "Ana"))["id"]
    said = await say(client, ben, "Hi", character_id=mika)
    reply = await client.put(
        f"/conversation/{said['conversation_id']}/persona", json={"persona_id": persona_id}, headers=ben
    )

    assert (reply.status_code, reply.json()["error"]["param"]) == (422, "persona_id")


async def test_a_conversation_begins_only_with_a_persona_of_its_user(
    client: httpx.AsyncClient, ana: Headers, ben: Headers, mika: str
) -> None:
    persona_id = (await new(client, ana, "Ana"))["id"]
    begun = await client.post("/conversations", json={"character_id": mika, "persona_id": persona_id}, headers=ana)
    refused = [
        await client.post("/conversations", json={"persona_id": unknown, **fields}, headers=ben)
        for unknown in (persona_id, str(uuid4()))
        for fields in ({"character_id": mika}, {})
    ]

    assert (begun.status_code, begun.json()["persona_id"]) == (201, persona_id)
    assert [(reply.status_code, reply.json()["error"]["param"]) for reply in refused] == [(422, "persona_id")] * 4
    assert (await client.get("/conversations", headers=ben)).json()["data"] == []


async def test_a_back_end_names_the_user(client: httpx.AsyncClient, operator: Headers, ana: Headers) -> None:
    user_id = str(uuid4())
    made = await client.post(f"/personas?user_id={user_id}", json={"name": "Ana"}, headers=operator)
    listed = [await client.get(f"/personas{query}", headers=operator) for query in (f"?user_id={user_id}", "")]
    refused = await client.get(f"/personas?user_id={user_id}", headers=ana)

    assert [len(reply.json()["personas"]) for reply in listed] == [1, 0]
    assert made.status_code == 201
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"name": "a", "id": "b"}, "id"),
        ({"name": "a", "description": "b" * 16_001}, "description"),
    ],
)
async def test_what_is_no_persona_is_refused_by_its_field(
    client: httpx.AsyncClient, ana: Headers, fields: dict[str, Any], param: str
) -> None:
    reply = await client.post("/personas", json=fields, headers=ana)

    assert (reply.status_code, reply.json()["error"]["param"]) == (422, param)


async def test_a_user_has_a_number_of_personas_and_no_more(
    client: httpx.AsyncClient, ana: Headers, ben: Headers
) -> None:
    for number in range(50):
        await new(client, ana, f"Ana {number}")
    reply = await client.post("/personas", json={"name": "One more"}, headers=ana)

    assert reply.json()["error"]["code"] == "too_many_personas"
    assert await new(client, ben, "Ben")
