"""Conversations that begin with a character's greeting, over HTTP."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey, Parts, serving
from idolchat_core import DirectoryEntry, ModelInfo
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider

LARGE = ModelInfo(id="idol/large", context_length=8192)
SMALL = ModelInfo(id="scripted/model", context_length=8192)


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider(models=(SMALL, LARGE))


@pytest.fixture
def plugins(storage: InMemoryStorage, provider: ScriptedProvider, directory: InMemoryDirectory) -> Plugins:
    return load_plugins(Parts(storage, provider, directory), installed=False)


def contents(document: dict[str, Any]) -> list[str]:
    return [message["content"] for message in document["messages"]]


@pytest.mark.parametrize("by", ["id", "slug"])
async def test_a_conversation_begins_with_her_greeting(
    client: httpx.AsyncClient, mika: DirectoryEntry, by: str
) -> None:
    begun = await client.post("/conversations", json={"character_id": str(mika.id) if by == "id" else mika.slug})
    document = begun.json()
    read = await client.get(begun.headers["location"])

    assert (begun.status_code, document["character_id"]) == (201, str(mika.id))
    assert contents(document) == ["Hi! I am Mika.", "You again?"]
    assert document["head"] == document["messages"][0]["id"]
    assert (read.json(), read.headers["etag"]) == (document, begun.headers["etag"])


async def test_an_alternate_is_chosen_as_a_branch_is(
    client: httpx.AsyncClient, mika: DirectoryEntry, provider: ScriptedProvider
) -> None:
    begun = (await client.post("/conversations", json={"character_id": mika.slug})).json()
    path = f"/conversation/{begun['id']}"
    chosen = await client.patch(path, json={"head": begun["messages"][1]["id"]})
    reply = await client.post(
        "/chat", json={"messages": [{"role": "user", "content": "Me."}], "conversation_id": begun["id"]}
    )
    stored = (await client.get(path)).json()

    assert (chosen.status_code, reply.status_code) == (204, 200)
    assert [message["content"] for message in provider.requests[-1].messages] == ["You again?", "Me."]
    assert contents(stored) == ["Hi! I am Mika.", "You again?", "Me.", "Me."]


async def test_a_greeting_can_be_declined(client: httpx.AsyncClient, mika: DirectoryEntry) -> None:
    begun = await client.post("/conversations", json={"character_id": mika.slug, "greeting": False})

    assert (begun.status_code, begun.json()["messages"]) == (201, [])


async def test_what_is_given_is_kept(client: httpx.AsyncClient) -> None:
    given = {name: str(uuid4()) for name in ("id", "character_id", "user_id", "persona_id")}
    begun = (await client.post("/conversations", json=given)).json()
    turn = await client.post(
        "/chat", json={"messages": [{"role": "user", "content": "Hi"}], "conversation_id": given["id"]}
    )

    assert {name: begun[name] for name in given} == given
    assert turn.json()["conversation_id"] == given["id"]
    assert (await client.get(f"/conversation/{given['id']}")).json()["persona_id"] == given["persona_id"]


async def test_an_unknown_slug_is_not_found(client: httpx.AsyncClient, mika: DirectoryEntry) -> None:
    reply = await client.post("/conversations", json={"character_id": "miku"})

    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")
    assert "no character 'miku'" in reply.text


async def test_the_same_key_begins_one_conversation(
    client: httpx.AsyncClient, mika: DirectoryEntry, directory: InMemoryDirectory
) -> None:
    key = {"Idempotency-Key": '"begin-1"'}
    first, again = [
        await client.post("/conversations", json={"character_id": mika.slug}, headers=key) for _ in range(2)
    ]
    other = await client.post("/conversations", json={"character_id": str(directory.add("aoi").id)}, headers=key)
    turn = await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]}, headers=key)

    assert (again.status_code, again.json(), again.headers["etag"]) == (201, first.json(), first.headers["etag"])
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert turn.json()["conversation_id"] != first.json()["id"]


async def test_an_id_is_taken_once(client: httpx.AsyncClient, mika: DirectoryEntry) -> None:
    wanted = {"id": str(uuid4()), "character_id": mika.slug}
    statuses = [(await client.post("/conversations", json=wanted)).status_code for _ in range(2)]

    assert statuses == [201, 409]


async def test_a_chat_that_begins_a_conversation_stores_the_greeting(
    client: httpx.AsyncClient, mika: DirectoryEntry
) -> None:
    asked = {"messages": [{"role": "user", "content": "Me."}], "character_id": str(mika.id)}
    greeted, declined = [
        (await client.post("/chat", json={**asked, **more})).json()["conversation_id"]
        for more in ({}, {"greeting": False})
    ]
    stored = [(await client.get(f"/conversation/{found}")).json() for found in (greeted, declined)]

    assert [contents(document) for document in stored] == [
        ["Hi! I am Mika.", "You again?", "Me.", "Me."],
        ["Me.", "Me."],
    ]


async def test_greeting_is_no_option_of_the_provider(
    client: httpx.AsyncClient, mika: DirectoryEntry, provider: ScriptedProvider
) -> None:
    asked = {"messages": [{"role": "user", "content": "Me."}], "character_id": str(mika.id), "greeting": True}
    async with client.stream("POST", "/chat/stream", json=asked) as reply:
        said = "".join([text async for text in reply.aiter_text()])

    assert "[DONE]" in said
    assert provider.requests[-1].options == {}


class TestOfUsers:
    """With a login."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"auth": "api-key"})

    async def test_another_users_character_is_as_unknown(
        self, client: httpx.AsyncClient, new_key: NewKey, directory: InMemoryDirectory
    ) -> None:
        ana, ben = uuid4(), uuid4()
        private = directory.add("mika", "Just us.", owner_id=ana, is_private=True)
        keys = [await new_key(user_id=user_id) for user_id in (ana, ben)]

        async def told(key: dict[str, str], character: str) -> tuple[int, Any]:
            reply = await client.post("/conversations", json={"character_id": character}, headers=key)
            return reply.status_code, reply.json().get("messages", reply.json().get("error", {}).get("code"))

        assert (await told(keys[0], "mika"))[1][0]["content"] == "Just us."
        assert await told(keys[1], "mika") == (404, "not_found")
        assert await told(keys[1], str(private.id)) == await told(keys[1], str(uuid4())) == (201, [])

    async def test_another_users_id_is_not_found(
        self, client: httpx.AsyncClient, new_key: NewKey, mika: DirectoryEntry
    ) -> None:
        keys = [await new_key(user_id=uuid4()) for _ in range(2)]
        wanted = {"id": str(uuid4()), "character_id": mika.slug}
        replies = [await client.post("/conversations", json=wanted, headers=key) for key in keys]

        assert [reply.status_code for reply in replies] == [201, 404]

    async def test_a_user_begins_for_nobody_else(self, client: httpx.AsyncClient, new_key: NewKey) -> None:
        key = await new_key(user_id=uuid4())
        reply = await client.post("/conversations", json={"user_id": str(uuid4())}, headers=key)

        assert reply.status_code == 403


@pytest.fixture
async def limited(tmp_path: Any, plugins: Plugins) -> AsyncGenerator[httpx.AsyncClient]:
    """A server that limits models, tokens and extras."""
    settings = ApiSettings(data_dir=tmp_path, auth="api-key", models=("scripted/*",), max_tokens=100)
    settings = settings.model_copy(update={"model": SMALL.id})
    async with serving(settings, plugins=plugins) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.mark.parametrize(
    ("owned", "model", "options"),
    [
        (False, LARGE.id, {"temperature": 0.7, "max_tokens": 100, "provider": {"order": ["a"]}}),
        (True, SMALL.id, {"temperature": 0.7, "max_tokens": 100}),
    ],
    ids=["the operator's", "a user's"],
)
async def test_a_character_brings_what_her_maker_may_name(
    limited: httpx.AsyncClient,
    new_key: NewKey,
    directory: InMemoryDirectory,
    provider: ScriptedProvider,
    owned: bool,
    model: str,
    options: dict[str, Any],
) -> None:
    """What an operator gave her is allowed; what a user gave her is what this caller could ask for."""
    user_id: UUID = uuid4()
    brings: dict[str, Any] = {"temperature": 0.7, "max_tokens": 4000, "provider": {"order": ["a"]}, "timeout": 1}
    mika = directory.add("mika", model=LARGE.id, options=brings, owner_id=user_id if owned else None)
    key = await new_key(user_id=user_id)
    begun = (await limited.post("/conversations", json={"character_id": str(mika.id)}, headers=key)).json()
    asked = {"messages": [{"role": "user", "content": "Hi"}], "conversation_id": begun["id"]}
    reply = await limited.post("/chat", json=asked, headers=key)

    assert reply.status_code == 200
    assert (provider.requests[-1].model, provider.requests[-1].options) == (model, options)


@pytest.fixture
def rin(directory: InMemoryDirectory) -> DirectoryEntry:
    return directory.add("rin", model=LARGE.id)


async def test_several_characters_share_a_conversation(
    client: httpx.AsyncClient, mika: DirectoryEntry, rin: DirectoryEntry, provider: ScriptedProvider
) -> None:
    asked = {"character_ids": ["mika", str(rin.id)], "next_speaker": "in_turn"}
    begun = (await client.post("/conversations", json=asked)).json()
    turn = {"messages": [{"role": "user", "content": "Sing!"}], "conversation_id": begun["id"]}
    replies = [
        (await client.post("/chat", json=turn | more)).json() for more in ({}, {"next_character_id": str(rin.id)})
    ]
    streamed = (await client.post("/chat/stream", json=turn)).text
    listed = []
    for entry in (mika, rin):
        page = await client.get("/conversations", params={"character_id": str(entry.id)})
        listed.append([summary["id"] for summary in page.json()["data"]])
    stored = (await client.get(f"/conversation/{begun['id']}")).json()

    assert (begun["character_id"], begun["character_ids"]) == (str(mika.id), [str(mika.id), str(rin.id)])
    assert [reply["character_id"] for reply in replies] == [str(rin.id)] * 2
    assert f'"character_id":"{mika.id}"' in streamed.partition("delta")[2].partition("\n")[0]
    assert listed == [[begun["id"]]] * 2
    said = [message.get("character_id") for message in stored["messages"]]
    assert said == [str(one) if one else None for one in (mika.id, mika.id, None, rin.id, None, rin.id, None, mika.id)]
    assert [message["content"] for message in provider.requests[-1].messages][1:] == [
        "Hi! I am Mika.", "Sing!", "Rin: Sing!", "Sing!", "Rin: Sing!", "Sing!",
    ]  # fmt: skip


async def test_who_answers_can_be_changed(client: httpx.AsyncClient, mika: DirectoryEntry, rin: DirectoryEntry) -> None:
    begun = (await client.post("/conversations", json={"character_ids": ["mika", "rin"]})).json()
    path = f"/conversation/{begun['id']}"
    changed = await client.patch(path, json={"next_speaker": "in_turn"})
    unknown = await client.patch(path, json={"next_speaker": "whoever"})
    nothing = await client.patch(path, json={})
    alone = (await client.post("/conversations", json={"character_id": "mika"})).json()
    refused = await client.patch(f"/conversation/{alone['id']}", json={"next_speaker": "in_turn"})

    assert [reply.status_code for reply in (changed, unknown, nothing, refused)] == [204, 422, 422, 422]
    assert (await client.get(path)).json()["next_speaker"] == "in_turn"


async def test_who_takes_part_can_be_changed(
    client: httpx.AsyncClient, mika: DirectoryEntry, rin: DirectoryEntry
) -> None:
    path = f"/conversation/{(await client.post('/conversations', json={'character_id': 'mika'})).json()['id']}"
    changed = await client.patch(path, json={"character_ids": ["mika", "rin"], "next_speaker": "in_turn"})
    refused = [
        await client.patch(path, json={"character_ids": members})
        for members in (["mika"], ["rin", "mika"], ["mika", "mika"], ["mika", "nobody"])
    ]
    listed = (await client.get("/conversations", params={"character_id": str(rin.id)})).json()["data"]

    assert [changed.status_code, *(reply.status_code for reply in refused)] == [204, 422, 422, 422, 404]
    assert (await client.get(path)).json()["character_ids"] == [str(mika.id), str(rin.id)]
    assert [summary["id"] for summary in listed] == [path.rpartition("/")[2]]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"character_ids": ["mika"]}, 422),
        ({"character_ids": ["mika", "mika"]}, 422),
        ({"character_ids": ["mika", "miku"]}, 404),
        ({"character_ids": ["mika", "rin"], "character_id": "mika"}, 422),
        ({"character_id": "mika", "next_speaker": "in_turn"}, 422),
        ({"character_ids": [str(uuid4()) for _ in range(17)]}, 422),
    ],
)
async def test_a_group_that_cannot_be_is_refused(
    client: httpx.AsyncClient, mika: DirectoryEntry, rin: DirectoryEntry, asked: dict[str, Any], status: int
) -> None:
    assert (await client.post("/conversations", json=asked)).status_code == status


async def test_whoever_takes_no_part_does_not_answer(
    client: httpx.AsyncClient, mika: DirectoryEntry, rin: DirectoryEntry, provider: ScriptedProvider
) -> None:
    begun = (await client.post("/conversations", json={"character_id": "mika"})).json()
    said = {"messages": [{"role": "user", "content": "Hi"}], "next_character_id": str(rin.id)}
    replies = [await client.post("/chat", json=said | more) for more in ({"conversation_id": begun["id"]}, {})]

    assert [reply.status_code for reply in replies] == [422, 422]
    assert replies[0].json()["error"]["param"] == "next_character_id"
    assert provider.requests == []
