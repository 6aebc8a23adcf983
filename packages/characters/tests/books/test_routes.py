"""Lorebooks over HTTP: whose they are, who may have them, and what they put into prompts."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_characters.library import library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

type Headers = dict[str, str]


def world(*entries: str, **fields: Any) -> bytes:
    """A world file whose entries are found by `stage`."""
    made = {str(uid): {"uid": uid, "key": ["stage"], "content": text, **fields} for uid, text in enumerate(entries)}
    return json.dumps({"entries": made}).encode()


async def new(client: httpx.AsyncClient, who: Headers, content: bytes, **query: Any) -> dict[str, Any]:
    reply = await client.post("/lorebooks", content=content, params=query, headers=who)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def say(client: httpx.AsyncClient, who: Headers, **fields: Any) -> str:
    body = {"messages": [{"role": "user", "content": "To the stage!"}], **fields}
    reply = await client.post("/chat", json=body, headers=who)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["conversation_id"])


def sent(provider: ScriptedProvider) -> list[str]:
    return [str(message["content"]) for message in provider.requests[-1].messages][1:-1]


@pytest.fixture
async def mika(storage: InMemoryStorage) -> str:
    book = {
        "entries": [{"keys": ["stage"], "content": "Hers.", "id": 1, "insertion_order": 100, "position": "before_char"}]
    }
    fields = {"name": "Mika", "visibility": "public", "character_book": book}
    return str((await library_of(storage).create_from(fields, OPERATOR)).id)


async def test_books_stand_in_the_order_in_which_sillytavern_scans_them(
    client: httpx.AsyncClient, ana: Headers, operator: Headers, provider: ScriptedProvider, mika: str
) -> None:
    """Those of equal order stand in reverse of their activation: chat, persona, character, global."""
    conversation_id = await say(client, ana, character_id=mika)
    await new(client, operator, world("The server's."), scope="server")
    await new(client, ana, world("Ana's."))
    await new(client, ana, world("The conversation's."), conversation_id=conversation_id)
    await say(client, ana, conversation_id=conversation_id)
    lore = [text for text in sent(provider) if text.endswith(".")]
    await say(client, ana, character_id=mika)

    assert lore == ["The server's.", "Hers.", "Ana's.", "The conversation's."]
    assert "The conversation's." not in sent(provider)


async def test_a_fork_has_the_books_of_its_conversation_as_its_own(
    client: httpx.AsyncClient, ana: Headers, provider: ScriptedProvider, mika: str
) -> None:
    source = await say(client, ana, character_id=mika)
    made = await new(client, ana, world("The conversation's."), conversation_id=source)
    off = await new(client, ana, world("Off."), conversation_id=source)
    await client.patch(f"/lorebooks/{off['lorebook']['id']}", json={"is_enabled": False}, headers=ana)
    forked = (await client.post(f"/conversation/{source}/fork", headers=ana)).json()["id"]
    await client.delete(f"/lorebooks/{made['lorebook']['id']}", headers=ana)
    lore = {}
    for conversation_id in (source, forked):
        await say(client, ana, conversation_id=conversation_id)
        lore[conversation_id] = [text for text in sent(provider) if text.endswith(".")]
    listed = (await client.get("/lorebooks", params={"conversation_id": forked}, headers=ana)).json()["data"]

    assert lore == {source: ["Hers."], forked: ["Hers.", "The conversation's."]}
    assert [(book["scope"], book["version"], book["is_enabled"]) for book in listed] == [
        ("conversation", 1, True),
        ("conversation", 1, False),
    ]


async def test_a_users_book_is_in_no_prompt_of_another(
    client: httpx.AsyncClient, ana: Headers, ben: Headers, provider: ScriptedProvider, mika: str
) -> None:
    await new(client, ana, world("CANARY"))
    await say(client, ben, character_id=mika)

    assert sent(provider) == ["Hers."]


async def test_a_book_that_is_off_or_deleted_is_not_scanned(
    client: httpx.AsyncClient, ana: Headers, provider: ScriptedProvider, mika: str
) -> None:
    off, gone = await new(client, ana, world("Off.")), await new(client, ana, world("Gone."))
    await client.patch(f"/lorebooks/{off['lorebook']['id']}", json={"is_enabled": False}, headers=ana)
    await client.delete(f"/lorebooks/{gone['lorebook']['id']}", headers=ana)
    await say(client, ana, character_id=mika)

    assert sent(provider) == ["Hers."]


async def test_an_edited_book_speaks_by_its_new_entries(
    client: httpx.AsyncClient, ana: Headers, provider: ScriptedProvider, mika: str
) -> None:
    made = (await new(client, ana, world("Old."), name="Town"))["lorebook"]
    await say(client, ana, character_id=mika)
    before = sent(provider)
    changed = await client.patch(
        f"/lorebooks/{made['id']}", json={"book": json.loads(world("New."))}, headers={**ana, "If-Match": '"1"'}
    )
    late = await client.patch(f"/lorebooks/{made['id']}", json={"name": "x"}, headers={**ana, "If-Match": '"1"'})
    await say(client, ana, character_id=mika)

    assert (before, sent(provider)) == (["Hers.", "Old."], ["Hers.", "New."])
    assert (changed.status_code, changed.headers["etag"], late.status_code) == (200, '"2"', 412)


@pytest.mark.parametrize(
    ("book", "name"),
    [
        ({"entries": {"0": {"uid": 0, "key": ["stage"], "content": "It."}}}, "Lorebook"),
        ({"name": "V2", "entries": [{"keys": ["stage"], "content": "It.", "insertion_order": 1}]}, "V2"),
        ({"spec": "lorebook_v3", "data": {"name": "V3", "entries": [{"keys": ["stage"], "content": "It."}]}}, "V3"),
        ({"spec": "chara_card_v2", "data": {"character_book": {"name": "In", "entries": []}}}, "In"),
    ],
)
async def test_every_form_of_a_book_is_stored_and_exported_as_it_came(
    client: httpx.AsyncClient, ana: Headers, book: dict[str, Any], name: str
) -> None:
    made = await new(client, ana, b"\xef\xbb\xbf" + json.dumps(book).encode())
    exported = await client.get(f"/lorebooks/{made['lorebook']['id']}/export", headers=ana)

    assert made["lorebook"]["name"] == name
    assert exported.json() in (book, book.get("data", {}).get("character_book"))
    assert exported.headers["content-disposition"].startswith("attachment")


async def test_what_does_not_work_in_a_book_is_said(client: httpx.AsyncClient, ana: Headers) -> None:
    made = await new(client, ana, world("It.", key=["/(?=x)y/"]))

    assert [problem["code"] for problem in made["warnings"]] == ["pattern_unsupported"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"{", b'{"entries": 1}', b'{"name": "Mika"}'])
async def test_what_is_no_book_is_refused(client: httpx.AsyncClient, ana: Headers, content: bytes) -> None:
    reply = await client.post("/lorebooks", content=content, headers=ana)

    assert reply.status_code == 422


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/export")])
async def test_anothers_book_and_the_servers_are_answered_like_an_unknown_one(
    client: httpx.AsyncClient, ana: Headers, ben: Headers, operator: Headers, method: str, path: str
) -> None:
    anas = (await new(client, ana, world("x")))["lorebook"]["id"]
    servers = (await new(client, operator, world("x"), scope="server"))["lorebook"]["id"]
    unknown = str(uuid4())
    body = {"name": "x"} if method == "PATCH" else None
    paths = [f"/lorebooks/{it}{path}" for it in (anas, servers, unknown)]
    replies = [await client.request(method, it, headers=ben, json=body) for it in paths]

    assert [reply.status_code for reply in replies] == [404, 404, 404]
    told = [reply.json()["error"]["message"] for reply in replies]
    assert told[0].replace(anas, unknown) == told[1].replace(servers, unknown) == told[2]


async def test_only_operators_have_the_servers_books(
    client: httpx.AsyncClient, ana: Headers, operator: Headers
) -> None:
    await new(client, operator, world("x"), scope="server")
    replies = [
        await client.post("/lorebooks?scope=server", content=world("x"), headers=ana),
        await client.get("/lorebooks?scope=server", headers=ana),
        await client.get("/lorebooks?scope=server", headers=operator),
    ]

    assert [reply.status_code for reply in replies] == [422, 422, 200]
    assert len(replies[2].json()["data"]) == 1


async def test_a_book_is_added_to_ones_own_conversations_alone(
    client: httpx.AsyncClient, ana: Headers, ben: Headers, mika: str
) -> None:
    conversation_id = await say(client, ana, character_id=mika)
    reply = await client.post(f"/lorebooks?conversation_id={conversation_id}", content=world("x"), headers=ben)

    assert reply.status_code == 404


async def test_a_user_sees_in_an_explanation_nothing_of_the_servers_books(
    client: httpx.AsyncClient, ana: Headers, operator: Headers, mika: str
) -> None:
    await new(client, operator, world("x", comment="CANARY"), scope="server")
    body = {"messages": [{"role": "user", "content": "To the stage!"}], "character_id": mika}
    turn_id = (await client.post("/chat", json=body, headers=ana)).json()["turn_id"]
    explained = await client.get(f"/turns/{turn_id}/prompt", headers=ana)
    why = [part["why"] for part in explained.json()["parts"] if part["key"].startswith("lore/")]

    assert {"reason": "key", "recursion": 0, "book": "server"} in why
    assert "CANARY" not in explained.text


async def test_a_fork_whose_books_have_no_room_is_refused_whole(
    client: httpx.AsyncClient, ana: Headers, storage: InMemoryStorage, mika: str
) -> None:
    source = await say(client, ana, character_id=mika)
    for _ in range(26):
        await new(client, ana, world("x"), conversation_id=source)
    reply = await client.post(f"/conversation/{source}/fork", headers=ana)

    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "too_many_lorebooks")
    assert len((await client.get("/lorebooks", headers=ana)).json()["data"]) == 26
    assert [str(one) for one in await storage.list_ids()] == [source]


async def test_a_user_has_a_number_of_books_and_no_more(
    client: httpx.AsyncClient, ana: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(50):
        await new(client, ana, world("x"))
    reply = await client.post("/lorebooks", content=world("x"), headers=ana)
    large = await client.post("/lorebooks", content=b" " * (5 << 20), headers=ana)

    assert reply.json()["error"]["code"] == "too_many_lorebooks"
    assert large.status_code == 413
