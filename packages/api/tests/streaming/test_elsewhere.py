"""Two servers of one storage: a turn that one runs is read and stopped through the other."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import ScriptedProvider, SharedInMemoryStorage


@pytest.fixture
async def client(
    settings: ApiSettings, shared: SharedInMemoryStorage, provider: ScriptedProvider
) -> AsyncGenerator[httpx.AsyncClient]:
    async for client in to_a_server(settings, shared, provider):
        yield client


@pytest.fixture
async def other(
    settings: ApiSettings, shared: SharedInMemoryStorage, provider: ScriptedProvider
) -> AsyncGenerator[httpx.AsyncClient]:
    async for client in to_a_server(settings, shared, provider):
        yield client


async def to_a_server(
    settings: ApiSettings, shared: SharedInMemoryStorage, provider: ScriptedProvider
) -> AsyncGenerator[httpx.AsyncClient]:
    plugins = load_plugins(Parts(shared, provider, is_shared=True), installed=False)
    async with serving(settings, plugins=plugins) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


async def turn_begun_by(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[asyncio.Task[httpx.Response], str]:
    """Begin a turn that streams, and return the reading of it and the turn's id."""
    reading = asyncio.create_task(client.post("/chat/stream", json=body))
    async with asyncio.timeout(60):
        while True:
            reply = await client.get(f"/conversation/{body['conversation_id']}")
            if reply.status_code == 200:
                return reading, reply.json()["messages"][0]["turn_id"]
            await asyncio.sleep(0.01)


def asking(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "conversation_id": str(uuid4())}


async def test_a_turn_is_streamed_by_the_other_server_byte_for_byte(
    client: httpx.AsyncClient, other: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    go_on = asyncio.Event()
    provider.say(["Once ", "upon ", go_on, "a ", "time."])
    reading, turn_id = await turn_begun_by(client, asking("A story"))
    elsewhere = asyncio.create_task(other.get(f"/turns/{turn_id}/stream"))
    from_the_middle = asyncio.create_task(other.get(f"/turns/{turn_id}/stream?after=1"))
    await asyncio.sleep(0.2)
    go_on.set()
    await reading
    here = await client.get(f"/turns/{turn_id}/stream")
    rest = await client.get(f"/turns/{turn_id}/stream?after=1")

    assert here.text.count("data:") > 4
    assert (await elsewhere).text == here.text
    assert (await from_the_middle).text == rest.text


async def test_a_turn_is_stopped_through_the_other_server(
    client: httpx.AsyncClient, other: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    provider.say(["Once upon ", asyncio.Event()])
    reading, turn_id = await turn_begun_by(client, asking("A story"))
    async with other.stream("GET", f"/turns/{turn_id}/stream") as heard:
        async for line in heard.aiter_lines():
            if "Once upon " in line:
                break
    running = (await other.get(f"/turns/{turn_id}")).json()
    stopped = (await other.post(f"/turns/{turn_id}/cancel")).json()
    await reading

    assert (running["state"], stopped["state"], stopped["content"]) == ("running", "cancelled", "Once upon ")
