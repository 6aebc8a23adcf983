"""An explanation tells what a turn would put into its prompt."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_characters.library import library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_core.testing import InMemoryStorage

type Headers = dict[str, str]

ENTRIES = [
    {"keys": ["stage"], "content": "The stage is in the town.", "id": 1, "comment": "stage"},
    {"keys": ["town"], "content": "The town is Akiba.", "id": 2},
    {"keys": ["moon"], "content": "The moon.", "id": 3},
    {"keys": ["stage"], "content": "Off.", "id": 4, "enabled": False},
    {"keys": ["/(?=x)y/"], "use_regex": True, "content": "Never.", "id": 5},
]


@pytest.fixture
async def mika(storage: InMemoryStorage) -> str:
    fields = {"name": "Mika", "visibility": "public", "character_book": {"entries": ENTRIES}}
    return str((await library_of(storage).create_from(fields, OPERATOR)).id)


async def explained(client: httpx.AsyncClient, who: Headers, character: str, **asked: Any) -> dict[str, Any]:
    reply = await client.post(f"/characters/{character}/lore/explain", json=asked, headers=who)
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


async def test_each_entry_is_told_of_with_its_reason(client: httpx.AsyncClient, ana: Headers, mika: str) -> None:
    told = await explained(client, ana, mika, text="To the stage!")
    entries = {entry["uid"]: entry for entry in told["entries"]}

    assert [(entries[uid]["reason"], entries[uid]["key"], entries[uid]["recursion"]) for uid in "12345"] == [
        ("key", "stage", 0),
        ("key", "town", 1),
        ("no_match", None, None),
        ("disabled", None, None),
        ("no_match", None, None),
    ]
    assert entries["1"]["position"] == "after_char"
    assert told["tokens"] == entries["1"]["tokens"] + entries["2"]["tokens"] > 0
    assert "never matches" in entries["5"]["problems"][0]


async def test_of_a_conversation_it_tells_what_its_turn_had(client: httpx.AsyncClient, ana: Headers, mika: str) -> None:
    rolling = {"uid": 9, "key": ["stage"], "content": "By chance.", "probability": 50}
    world = {"entries": {str(uid): {**rolling, "uid": uid} for uid in range(20)}}
    await client.post("/lorebooks", content=json.dumps(world), headers=ana)
    body = {"messages": [{"role": "user", "content": "To the stage!"}], "character_id": mika}
    said = (await client.post("/chat", json=body, headers=ana)).json()
    parts = (await client.get(f"/turns/{said['turn_id']}/prompt", headers=ana)).json()["parts"]
    told = await explained(client, ana, mika, conversation_id=said["conversation_id"])
    active = [entry for entry in told["entries"] if entry["activated"]]

    assert len(active) == len([part for part in parts if part["key"].startswith("lore/")]) not in (2, 22)
    assert {entry["scope"] for entry in told["entries"]} == {"character", "user"}


async def test_a_text_can_be_said_in_a_conversation_whose_newest_reply_is_scanned_too(
    client: httpx.AsyncClient, ana: Headers, mika: str
) -> None:
    body = {"messages": [{"role": "user", "content": "The moon is high."}], "character_id": mika}
    conversation_id = (await client.post("/chat", json=body, headers=ana)).json()["conversation_id"]
    told = await explained(client, ana, mika, conversation_id=conversation_id, text="To the stage!")
    alone = await explained(client, ana, mika, text="To the stage!")
    active = [{entry["uid"] for entry in one["entries"] if entry["activated"]} for one in (told, alone)]

    assert active == [{"1", "2", "3"}, {"1", "2"}]


async def test_users_are_told_nothing_of_the_servers_books(
    client: httpx.AsyncClient, ana: Headers, operator: Headers, mika: str
) -> None:
    world = {"entries": {"0": {"uid": 0, "key": ["CANARY", "stage"], "content": "x", "comment": "CANARY"}}}
    await client.post("/lorebooks?scope=server", content=json.dumps(world), headers=operator)
    told = [await explained(client, who, mika, text="stage") for who in (ana, operator)]

    assert ["CANARY" in json.dumps(one) for one in told] == [False, True]


async def test_anothers_conversation_is_unknown(
    client: httpx.AsyncClient, ana: Headers, ben: Headers, mika: str
) -> None:
    body = {"messages": [{"role": "user", "content": "stage"}], "character_id": mika}
    known = (await client.post("/chat", json=body, headers=ana)).json()["conversation_id"]
    replies = [
        await client.post(f"/characters/{mika}/lore/explain", json={"conversation_id": it}, headers=ben)
        for it in (known, str(uuid4()))
    ]

    assert [reply.status_code for reply in replies] == [404, 404]


async def test_nothing_to_explain_is_an_error(client: httpx.AsyncClient, ana: Headers, mika: str) -> None:
    reply = await client.post(f"/characters/{mika}/lore/explain", json={}, headers=ana)

    assert (reply.status_code, reply.json()["error"]["param"]) == (422, "text")
