"""Notes over HTTP: whose they are, what holds, and where it came from."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, new_key_in, serving
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider, until
from idolchat_memory import plugin

type Headers = dict[str, str]
ANA, BEN = uuid4(), uuid4()


@pytest.fixture
def characters() -> InMemoryDirectory:
    return InMemoryDirectory()


@pytest.fixture
async def client(
    tmp_path: Path, storage: InMemoryStorage, characters: InMemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[httpx.AsyncClient]:
    monkeypatch.setenv("IDOLCHAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("IDOLCHAT_MEMORY_SEMANTIC", "off")
    settings = ApiSettings(data_dir=tmp_path / "data", shutdown_grace_s=5, plugins=(), auth="api-key")
    plugins = [Parts(storage, ScriptedProvider(), characters), plugin]
    async with serving(settings, plugins=plugins) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
async def ana(storage: InMemoryStorage) -> Headers:
    return await new_key_in(storage)(user_id=ANA)


@pytest.fixture
async def ben(storage: InMemoryStorage) -> Headers:
    return await new_key_in(storage)(user_id=BEN)


@pytest.fixture
async def app(storage: InMemoryStorage) -> Headers:
    return await new_key_in(storage)()


async def added(client: httpx.AsyncClient, headers: Headers, text: str, **fields: Any) -> dict[str, Any]:
    reply = await client.post("/memory", json={"text": text, **fields}, headers=headers)
    assert reply.status_code == 201, reply.text
    note: dict[str, Any] = reply.json()
    return note


async def texts(client: httpx.AsyncClient, headers: Headers, **query: Any) -> list[str]:
    reply = await client.get("/memory", params=query, headers=headers)
    assert reply.status_code == 200, reply.text
    return [note["text"] for note in reply.json()["data"]]


async def test_a_slug_names_the_character_of_a_note_and_of_a_search(
    client: httpx.AsyncClient, ana: Headers, characters: InMemoryDirectory
) -> None:
    mika = str(characters.add("mika").id)
    note = await added(client, ana, "Calls me Captain", character_id="mika")
    said = [{"role": "user", "content": "My dog is called Biscuit"}]
    await client.post("/chat", json={"messages": said, "character_id": mika}, headers=ana)

    async def found() -> list[dict[str, Any]]:
        asked = {"text": "my dog", "character_id": "mika", "everything": True}
        data: list[dict[str, Any]] = (await client.post("/memory/search", json=asked, headers=ana)).json()["data"]
        return data

    assert note["character_id"] == mika
    assert await texts(client, ana, character_id="mika") == ["Calls me Captain"]
    assert {one["character_id"] for one in await until("a message", found, bool)} == {mika}


async def test_a_note_says_who_wrote_it(client: httpx.AsyncClient, ana: Headers, app: Headers) -> None:
    mine = await added(client, ana, "I am vegetarian")
    theirs = await added(client, app, "Premium until May", user_id=str(ANA))

    assert (mine["written_by"], theirs["written_by"]) == ("user", "app")
    assert await texts(client, ana) == ["Premium until May", "I am vegetarian"]


async def test_another_users_note_is_answered_like_an_unknown_one(
    client: httpx.AsyncClient, ana: Headers, ben: Headers
) -> None:
    note = await added(client, ana, "I am vegetarian")
    answers = [
        (await client.request(method, f"/memory/{note_id}", json=body, headers=ben))
        for note_id in (note["id"], uuid4())
        for method, body in (("GET", None), ("PATCH", {"pinned": True}), ("DELETE", None))
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.json()["error"]["message"].replace(note["id"], "") for answer in answers[:3]}) == 1
    assert await texts(client, ana) == ["I am vegetarian"]
    assert await texts(client, ben) == []


async def test_a_user_cannot_name_another_one(client: httpx.AsyncClient, ana: Headers) -> None:
    written = await client.post("/memory", json={"text": "x", "user_id": str(BEN)}, headers=ana)
    read = await client.get("/memory", params={"user_id": str(BEN)}, headers=ana)

    assert (written.status_code, read.status_code) == (403, 403)


async def test_another_text_supersedes_and_the_old_one_stays_readable(client: httpx.AsyncClient, ana: Headers) -> None:
    old = await added(client, ana, "I am vegetarian", pinned=True)
    reply = await client.patch(f"/memory/{old['id']}", json={"text": "I eat steak"}, headers=ana)
    new = reply.json()
    read = (await client.get(f"/memory/{old['id']}", headers=ana)).json()

    assert reply.status_code == 200
    assert (new["text"], new["pinned"], read["superseded_by"]) == ("I eat steak", True, new["id"])
    assert await texts(client, ana) == ["I eat steak"]
    assert await texts(client, ana, superseded=True) == ["I eat steak", "I am vegetarian"]


async def test_what_is_superseded_cannot_be_changed(client: httpx.AsyncClient, ana: Headers) -> None:
    old = await added(client, ana, "I am vegetarian")
    new = (await client.patch(f"/memory/{old['id']}", json={"text": "I eat steak"}, headers=ana)).json()
    reply = await client.patch(f"/memory/{old['id']}", json={"pinned": True}, headers=ana)

    assert reply.status_code == 422
    assert new["id"] in reply.json()["error"]["message"]


async def test_deleting_a_note_deletes_what_it_superseded(client: httpx.AsyncClient, ana: Headers) -> None:
    old = await added(client, ana, "My sister is called Gigi")
    new = (await client.patch(f"/memory/{old['id']}", json={"text": "I have no sister"}, headers=ana)).json()
    reply = await client.delete(f"/memory/{new['id']}", headers=ana)

    assert reply.status_code == 204
    assert await texts(client, ana, superseded=True) == []


async def test_notes_are_for_one_character_or_for_every_one(client: httpx.AsyncClient, ana: Headers) -> None:
    yui, rin = str(uuid4()), str(uuid4())
    await added(client, ana, "for all")
    await added(client, ana, "for Yui", character_id=yui)

    assert await texts(client, ana, character_id=yui) == ["for Yui", "for all"]
    assert await texts(client, ana, character_id=rin) == ["for all"]


async def test_pages_hold_each_note_once(client: httpx.AsyncClient, ana: Headers) -> None:
    for number in range(5):
        await added(client, ana, f"note {number}")
    found: list[str] = []
    before = None
    while True:
        query = {"limit": 2} | ({"before": before} if before else {})
        page = (await client.get("/memory", params=query, headers=ana)).json()
        found += [note["text"] for note in page["data"]]
        before = page["next"]
        if not page["has_more"]:
            break

    assert found == [f"note {number}" for number in reversed(range(5))]


@pytest.mark.parametrize(
    "body", [{"text": ""}, {"text": "  "}, {"text": "x" * 1001}, {"text": "x", "colour": "red"}, {}]
)
async def test_what_is_no_note_is_refused(client: httpx.AsyncClient, ana: Headers, body: dict[str, Any]) -> None:
    assert (await client.post("/memory", json=body, headers=ana)).status_code == 422
    assert await texts(client, ana) == []


async def test_there_are_no_more_notes_than_can_be_looked_through(client: httpx.AsyncClient, ana: Headers) -> None:
    for number in range(200):
        await added(client, ana, f"note {number}")
    reply = await client.post("/memory", json={"text": "one too many"}, headers=ana)

    assert reply.status_code == 422
    assert "200 notes" in reply.json()["error"]["message"]


async def test_a_note_rests_on_messages_of_its_own_user_alone(
    client: httpx.AsyncClient, ana: Headers, ben: Headers
) -> None:
    body = {"messages": [{"role": "user", "content": "I am allergic to nuts"}]}
    said = (await client.post("/chat", json=body, headers=ana)).json()
    source = {"conversation_id": said["conversation_id"], "message_id": said["user_message_id"]}
    theirs = await client.post("/memory", json={"text": "allergic", "sources": [source]}, headers=ben)
    unknown = source | {"message_id": str(uuid4())}
    none = await client.post("/memory", json={"text": "allergic", "sources": [unknown]}, headers=ana)
    note = await added(client, ana, "allergic", sources=[source, source])

    assert (theirs.status_code, none.status_code) == (422, 422)
    assert [one["message_id"] for one in note["sources"]] == [said["user_message_id"]]


async def test_without_a_user_nothing_is_kept(client: httpx.AsyncClient, app: Headers) -> None:
    reply = await client.post("/memory", json={"text": "whose?"}, headers=app)

    assert reply.status_code == 422
    assert "IDOLCHAT_MEMORY_ANONYMOUS" in reply.json()["error"]["message"]


async def test_whoever_acts_for_users_says_for_whom(client: httpx.AsyncClient, ana: Headers, app: Headers) -> None:
    note = await added(client, ana, "I am vegetarian")
    unnamed = await client.delete(f"/memory/{note['id']}", headers=app)
    named = await client.delete(f"/memory/{note['id']}", params={"user_id": str(ANA)}, headers=app)

    assert (unnamed.status_code, named.status_code) == (404, 204)


async def test_an_id_that_is_none_is_not_found(client: httpx.AsyncClient, ana: Headers) -> None:
    assert (await client.get("/memory/abc", headers=ana)).status_code == 404
