"""Greetings over a socket."""

import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import TypeAdapter
from websockets.asyncio.client import ClientConnection, connect

from idolchat_api.streaming.event_models import ServerFrame
from idolchat_api.testing import Parts
from idolchat_core import DirectoryEntry
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider

SERVER_FRAME: TypeAdapter[ServerFrame] = TypeAdapter(ServerFrame)


@pytest.fixture
def plugins(storage: InMemoryStorage, provider: ScriptedProvider, directory: InMemoryDirectory) -> Plugins:
    return load_plugins(Parts(storage, provider, directory), installed=False)


@pytest.fixture
async def socket(url: str) -> AsyncGenerator[ClientConnection]:
    async with connect(url.replace("http", "ws", 1) + "/ws/chat") as socket:
        yield socket


async def say(socket: ClientConnection, kind: str, *, until: str, **fields: Any) -> dict[str, Any]:
    await socket.send(json.dumps({"type": kind, **fields}))
    while True:
        text = await socket.recv()
        SERVER_FRAME.validate_json(text)  # as the AsyncAPI document says
        frame: dict[str, Any] = json.loads(text)
        if frame["type"] in (until, "error"):
            return frame


async def test_she_speaks_when_a_conversation_is_started(
    socket: ClientConnection, mika: DirectoryEntry, storage: InMemoryStorage, provider: ScriptedProvider
) -> None:
    started = await say(socket, "start_conversation", until="conversation_started", character_id=str(mika.id))
    await say(socket, "message", until="message", message="Me.")

    stored = await storage.read(UUID(started["conversation_id"]))
    said = [message.model_dump(mode="json", exclude_unset=True) for message in stored.messages]
    assert (started["message"], started["alternates"]) == (said[0], said[1:2])
    assert [message["content"] for message in said] == ["Hi! I am Mika.", "You again?", "Me.", "Me."]
    assert [message["content"] for message in provider.requests[-1].messages] == ["Hi! I am Mika.", "Me."]


async def test_starting_again_with_the_same_id_of_the_client_starts_the_same(
    socket: ClientConnection, mika: DirectoryEntry
) -> None:
    asked = {"character_id": str(mika.id), "client_message_id": "start-1"}
    first = await say(socket, "start_conversation", until="conversation_started", **asked)
    await say(socket, "message", until="message", message="Me.")

    assert await say(socket, "start_conversation", until="conversation_started", **asked) == first


async def test_an_id_of_the_clients_own_is_kept(socket: ClientConnection, mika: DirectoryEntry) -> None:
    asked = {"character_id": str(mika.id), "conversation_id": str(uuid4())}
    started = await say(socket, "start_conversation", until="conversation_started", **asked)
    continued = await say(socket, "start_conversation", until="conversation_started", **asked)

    assert started["conversation_id"] == asked["conversation_id"]
    assert started["message"]["content"] == "Hi! I am Mika."
    assert "message" not in continued


async def test_a_first_message_is_greeted_unless_it_declines(
    socket: ClientConnection, mika: DirectoryEntry, storage: InMemoryStorage
) -> None:
    said = {}
    for greeting in (True, False):
        asked = {"message": "Me.", "character_id": str(mika.id), "conversation_id": str(uuid4()), "greeting": greeting}
        await say(socket, "message", until="message", **asked)
        said[greeting] = (await storage.read(UUID(str(asked["conversation_id"])))).messages[0].content

    assert said == {True: "Hi! I am Mika.", False: "Me."}


async def test_a_slug_names_a_character_as_over_rest(
    socket: ClientConnection, mika: DirectoryEntry, directory: InMemoryDirectory, storage: InMemoryStorage
) -> None:
    rin, persona_id = directory.add("rin"), str(uuid4())
    for asked in ({"character_id": "mika", "persona_id": persona_id}, {"character_ids": ["mika", str(rin.id)]}):
        started = await say(socket, "start_conversation", until="conversation_started", **asked)
        stored = await storage.read(UUID(started["conversation_id"]))

        assert started["message"]["content"] == "Hi! I am Mika."
        assert started["character_id"] == str(stored.character_id) == str(mika.id)
        assert (str(stored.persona_id), stored.character_ids) in ((persona_id, None), ("None", (mika.id, rin.id)))


async def test_a_first_message_names_its_character_by_her_slug(
    socket: ClientConnection, mika: DirectoryEntry, storage: InMemoryStorage
) -> None:
    unknown = await say(socket, "message", until="message", message="Me.", character_id="nobody")
    begun = await say(socket, "message", until="message", message="Me.", character_id="mika")

    assert unknown["code"] == "not_found"
    assert (await storage.read(UUID(begun["conversation_id"]))).character_id == mika.id


async def test_without_a_card_nothing_is_said_or_stored(socket: ClientConnection, storage: InMemoryStorage) -> None:
    started = await say(socket, "start_conversation", until="conversation_started", character_id=str(uuid4()))

    assert "message" not in started
    assert (await storage.list()).data == []


async def test_a_group_is_started_and_says_who_answers(
    socket: ClientConnection, mika: DirectoryEntry, directory: InMemoryDirectory
) -> None:
    rin = directory.add("rin")
    members = [str(mika.id), str(rin.id)]
    started = await say(
        socket, "start_conversation", until="conversation_started", character_ids=members, next_speaker="in_turn"
    )
    turns = [await say(socket, "message", until="turn_started", message="Sing!")]
    await say(socket, "ping", until="message")
    named = await say(socket, "message", until="message", message="Sing!", next_character_id=str(rin.id))

    assert (started["message"]["character_id"], turns[0]["character_id"]) == tuple(members)
    assert named["message"]["character_id"] == str(rin.id)
