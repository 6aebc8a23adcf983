"""What is no turn is answered, paid for, and stored nowhere."""

import json
from typing import Any

import httpx
import pytest
from v1_trees import conversations, paths

from idolchat_core.testing import InMemoryStorage, ScriptedProvider

TASK = "### Task:\nGenerate a concise title.\n<chat_history>\nUSER: Hello\n</chat_history>"


async def ask(client: httpx.AsyncClient, *messages: tuple[str, str], **headers: str) -> httpx.Response:
    said = [{"role": role, "content": content} for role, content in messages]
    named = {f"X-Idolchat-{name}".replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/v1/chat/completions", json={"model": "aoi", "messages": said}, headers=named)


async def purposes(storage: InMemoryStorage) -> list[str]:
    (day,) = await storage.list_logs("spending")
    lines = [json.loads(line) for line in (await storage.read_log("spending", day)).splitlines()]
    return [line["purpose"] for line in lines if "open" in line]


CASES: list[tuple[list[tuple[str, str]], dict[str, str]]] = [
    ([("user", TASK)], {}),
    (
        [("user", "Provide a concise, 5-word-or-less title for the conversation, using title case.\n\nConversation:")],
        {},
    ),
    ([("user", "Analyze this conversation and provide:\n1. The detected language of the conversation\n")], {}),
    ([("user", "Name it")], {"Task": "title_generation", "Conversation": "c1", "Message": ""}),
    ([("user", "Name it")], {"Conversation": "c1", "Message": ""}),
    ([("user", "Hello")], {"Store": "none"}),
    ([("user", "Hello"), ("assistant", "Hi"), ("system", "[Write as User]")], {"Generation": "impersonate"}),
    ([("user", "Hello"), ("assistant", "Hi"), ("system", "Sum it up")], {}),
    ([("user", "Hello"), ("system", "Sum it up")], {"Generation": "quiet"}),
    ([("assistant", "Hello, I am Aoi.")], {}),
]


@pytest.mark.parametrize(("messages", "headers"), CASES)
async def test_it_is_answered_and_stored_nowhere(
    client: httpx.AsyncClient, storage: InMemoryStorage, messages: list[tuple[str, str]], headers: dict[str, str]
) -> None:
    answer = await ask(client, *messages, **headers)

    assert answer.status_code == 200, answer.text
    assert "x-idolchat-conversation" not in answer.headers
    assert "conversation_id" not in answer.json()
    assert not await storage.list_ids()
    assert await purposes(storage) == ["background"]


async def test_the_instruction_at_the_end_reaches_the_model(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    await ask(client, ("system", "Lore"), ("user", "Hello"), ("assistant", "Hi"), ("system", "Sum it up"))

    assert [(m["role"], m["content"]) for m in provider.requests[0].messages] == [
        ("user", "Hello"),
        ("assistant", "Hi"),
        ("user", "Sum it up"),
    ]


async def test_a_message_that_open_webui_calls_one_is_one(client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
    await ask(client, ("user", "### Task: water the plants"), Conversation="c1", Message="m1", Task="")

    (only,) = await conversations(storage)
    assert paths(only) == [("### Task: water the plants", "### Task: water the plants")]


class TestIdentified:
    """A server that stores only what is named."""

    @pytest.fixture
    def settings(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("IDOLCHAT_V1_STORE", "identified")
        return settings

    async def test_only_named_conversations_are_stored(
        self, client: httpx.AsyncClient, storage: InMemoryStorage
    ) -> None:
        assert (await ask(client, ("user", "Hello"))).status_code == 200
        assert not await storage.list_ids()
        await ask(client, ("user", "Hello"), Conversation="mine")

        assert len(await storage.list_ids()) == 1
