"""Searching and choosing over HTTP: who may, and what is answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey, Parts, new_key_in, serving
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_memory import plugin

if TYPE_CHECKING:
    from conftest import Talk

type Headers = dict[str, str]


async def test_what_is_found_is_told_with_its_reasons(talk: Talk) -> None:
    await talk.say("My dog is called Biscuit")
    await talk.indexed("dog")

    body = {"text": "What did I say about my dog?", "user_id": talk.mia, "character_id": talk.yui}
    found = (await talk.client.post("/memory/search", json=body)).json()

    first = found["data"][0]
    assert (first["text"], first["role"], first["matched"]) == ("My dog is called Biscuit", "user", ["dog"])
    assert first["of_speaker"] is True
    assert (found["asked_of"], found["semantic"], found["period"]) == ("user", False, None)


async def test_a_search_is_as_strict_as_a_turn_unless_everything_is_asked_for(talk: Talk) -> None:
    await talk.say("My dog is called Biscuit")
    await talk.indexed("dog")

    assert await talk.search("Hello, how are you?", everything=False) == []
    assert await talk.search("My cat", everything=True, character_id=talk.rin) == []


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"text": ""}, "text"),
        ({"text": "dog", "limit": 51}, "limit"),
        ({"text": "dog", "now": "2026-03-01T00:00:00"}, "now"),
        ({"text": "dog", "user": "x"}, "user"),
    ],
)
async def test_a_wrong_question_is_refused_by_field(talk: Talk, wrong: dict[str, Any], param: str) -> None:
    reply = await talk.client.post("/memory/search", json=wrong)

    assert reply.status_code == 422
    assert param in reply.text


async def test_a_choice_needs_a_user(talk: Talk) -> None:
    reply = await talk.client.patch("/memory/choices", json={"recall": False})

    assert reply.status_code == 422
    assert "user_id: must say whose choice it is" in reply.text


async def test_a_choice_holds_after_a_restart(opening: Any) -> None:
    async with opening() as talk:
        await talk.client.patch(f"/memory/choices?user_id={talk.mia}", json={"cross_character": True})
    async with opening() as talk:
        reply = await talk.client.get(f"/memory/choices?user_id={talk.mia}")

    assert reply.json() == {"recall": True, "cross_character": True}


async def test_across_characters_another_s_words_are_named_as_such(talk: Talk) -> None:
    await talk.client.patch(f"/memory/choices?user_id={talk.mia}", json={"cross_character": True})
    await talk.say("My dog is called Biscuit", character_id=talk.rin)
    await talk.indexed("dog", character_id=talk.rin)

    await talk.say("What is the name of my dog?")

    assert "the user said to another character] My dog is called Biscuit" in talk.recalled


@pytest.fixture
async def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[tuple[httpx.AsyncClient, NewKey]]:
    """A server that asks for keys, and what makes one."""
    monkeypatch.setenv("IDOLCHAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("IDOLCHAT_MEMORY_SEMANTIC", "off")
    storage = InMemoryStorage()

    settings = ApiSettings(data_dir=tmp_path / "data", shutdown_grace_s=5, plugins=(), auth="api-key")
    async with (
        serving(settings, plugins=[Parts(storage, ScriptedProvider()), plugin]) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as client,
    ):
        yield client, new_key_in(storage)


async def test_a_user_s_key_finds_and_chooses_for_that_user_alone(keyed: tuple[httpx.AsyncClient, NewKey]) -> None:
    client, new_key = keyed
    mine, other = uuid4(), uuid4()
    key = await new_key(user_id=mine)

    foreign = await client.post("/memory/search", json={"text": "dog", "user_id": str(other)}, headers=key)
    own = await client.post("/memory/search", json={"text": "dog", "user_id": str(mine)}, headers=key)
    chosen = await client.patch("/memory/choices", json={"recall": False}, headers=key)
    choice_of_another = await client.get(f"/memory/choices?user_id={other}", headers=key)

    assert [reply.status_code for reply in (foreign, own, chosen, choice_of_another)] == [403, 200, 200, 403]


async def test_a_key_that_may_only_read_searches_and_changes_nothing(keyed: tuple[httpx.AsyncClient, NewKey]) -> None:
    client, new_key = keyed
    key = await new_key("read", user_id=uuid4())

    found = await client.post("/memory/search", json={"text": "dog"}, headers=key)
    changed = await client.patch("/memory/choices", json={"recall": False}, headers=key)
    unknown = await client.post("/memory/search", json={"text": "dog"})

    assert [reply.status_code for reply in (found, changed, unknown)] == [200, 403, 401]
