"""``POST /v1/chat/completions`` and ``GET /v1/models`` over HTTP."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from v1_trees import conversations, paths, said

from idolchat_core import ProviderUnavailable
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider


async def ask(client: httpx.AsyncClient, *texts: str, headers: Any = None, **more: Any) -> httpx.Response:
    return await client.post(
        "/v1/chat/completions", json={"model": "aoi", "messages": said(*texts), **more}, headers=headers
    )


async def test_a_reply_is_told_as_openai_does(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say("Good day")

    answer = await ask(client, "Hello")

    reply = answer.json()
    assert reply["object"] == "chat.completion"
    assert reply["model"] == "aoi"
    assert reply["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "refusal": None, "content": "Good day"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= reply["usage"].keys()


async def test_a_stream_ends_with_usage_where_it_is_asked_for(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    provider.say("Good day")

    answer = await ask(client, "Hello", stream=True, stream_options={"include_usage": True})

    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    chunks = [json.loads(line) for line in lines[:-1]]
    assert lines[-1] == "[DONE]"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1]) == "Good day"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 2


async def test_models_are_characters_and_then_those_of_the_provider(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/models")).json()

    assert listed["object"] == "list"
    assert [one["id"] for one in listed["data"]] == ["aoi", "raw/scripted/model"]
    assert all({"id", "object", "created", "owned_by"} <= one.keys() for one in listed["data"])
    assert [one["id"] for one in (await client.get("/v1/models?raw=1")).json()["data"]] == ["raw/scripted/model"]


async def test_every_character_is_asked_by_the_id_that_she_is_listed_with(
    client: httpx.AsyncClient, directory: InMemoryDirectory
) -> None:
    other = directory.add("aoi", owner_id=uuid4(), is_private=True)
    listed = [one["id"] for one in (await client.get("/v1/models")).json()["data"]][:2]

    assert listed == [str(other.id), "aoi"]
    for model in listed:
        assert (await client.get(f"/v1/models/{model}")).json()["id"] == model


async def test_one_model_is_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/models/aoi")).json()["id"] == "aoi"
    assert (await client.get("/v1/models/raw/scripted/model")).json()["id"] == "raw/scripted/model"
    missing = await client.get("/v1/models/nobody")

    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "model_not_found"


async def test_the_clients_own_instructions_are_dropped_unless_they_are_wanted(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    instructed = [{"role": "system", "content": "You are a pirate"}, *said("Hello")]

    for model in ("aoi", "aoi+system", "char/aoi"):
        await client.post("/v1/chat/completions", json={"model": model, "messages": instructed})

    sent = [[message["content"] for message in request.messages] for request in provider.requests]
    assert ["You are a pirate" in contents for contents in sent] == [False, True, False]


async def test_a_raw_model_gets_what_is_sent_and_nothing_is_stored(
    client: httpx.AsyncClient, provider: ScriptedProvider, storage: InMemoryStorage
) -> None:
    messages = [{"role": "system", "content": "Be brief"}, *said("Hello", "Yes?", "Go on")]

    answer = await client.post(
        "/v1/chat/completions", json={"model": "raw/scripted/model", "messages": messages, "temperature": 0.5}
    )

    assert answer.status_code == 200
    assert list(provider.requests[0].messages) == messages
    assert provider.requests[0].options == {"temperature": 0.5}
    assert not await storage.list_ids()


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/chat/completions", {"model": "raw/scripted/model", "messages": said("Hello")}),
        ("/v1/responses", {"model": "raw/scripted/model", "input": "Hello"}),
        ("/v1/responses", {"model": "aoi", "input": "Hello", "store": False}),
    ],
)
async def test_an_error_names_no_ids_of_what_is_stored_nowhere(
    client: httpx.AsyncClient, provider: ScriptedProvider, path: str, asked: dict[str, Any]
) -> None:
    provider.say([ProviderUnavailable("away")])

    answer = await client.post(path, json=asked)

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_unavailable")
    assert [name for name in answer.json()["error"] if name.endswith("_id")] == ["request_id"]


async def test_an_unknown_model_is_told_where_to_look(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "Hello", model="gpt-4o")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert answer.json()["error"]["param"] == "model"
    assert "/v1" in answer.json()["error"]["message"]


async def test_a_conversation_is_named_by_the_client(
    client: httpx.AsyncClient, provider: ScriptedProvider, storage: InMemoryStorage
) -> None:
    await ask(client, "Hello", metadata={"conversation_id": "mine"})
    answer = await ask(client, "How are you?", metadata={"conversation_id": "mine"})

    (only,) = await conversations(storage)
    assert paths(only) == [("Hello", "Hello", "How are you?", "How are you?")]
    assert answer.headers["x-idolchat-conversation"] == str(only.id)
    assert answer.json()["conversation_id"] == str(only.id)


async def test_our_own_id_names_a_conversation_too(client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
    begun = (await ask(client, "Hello")).json()["conversation_id"]

    await ask(client, "And now?", headers={"X-Idolchat-Conversation": begun})

    (only,) = await conversations(storage)
    assert len(only.messages) == 4


async def test_two_characters_share_no_conversation(
    client: httpx.AsyncClient, directory: InMemoryDirectory, storage: InMemoryStorage
) -> None:
    directory.add("ben")

    for model in ("aoi", "ben"):
        await ask(client, "Hello", model=model, headers={"X-Idolchat-Conversation": "chat-1"})

    assert len(await conversations(storage)) == 2


async def test_what_is_wrong_is_a_400_that_names_the_field(client: httpx.AsyncClient) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"messages": "Hello"}, "messages"),
        ({"messages": [{"role": "king", "content": "Hello"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"base_url": "http://elsewhere"}, "base_url"),
        ({"messages": [{"role": "system", "content": "Be"}]}, "messages"),
    ]
    for fields, param in cases:
        answer = await ask(client, "Hello", **fields)

        assert answer.status_code == 400, fields
        assert answer.json()["error"]["param"] == param
        assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_base_url_without_v1_answers(client: httpx.AsyncClient) -> None:
    answer = await client.post("/chat/completions", json={"model": "aoi", "messages": said("Hello")})

    assert answer.status_code == 200


async def test_what_was_deleted_stays_deleted_where_a_client_sends_it_again(
    client: httpx.AsyncClient, storage: InMemoryStorage
) -> None:
    words, named = ["One", "", "Two", "", "Three", ""], {"X-Idolchat-Conversation": "a chat"}
    for place in (0, 2, 4):
        answer = await ask(client, *words[: place + 1], headers=named)
        words[place + 1] = answer.json()["choices"][0]["message"]["content"]
    (conversation,) = await conversations(storage)
    for message in conversation.messages[2:4]:
        await client.delete(f"/conversation/{conversation.id}/messages/{message.id}")
    await ask(client, *words, "Four", headers=named)

    (conversation,) = await conversations(storage)
    assert [message.content for message in conversation.messages[:-1]] == [
        "One",
        words[1],
        None,
        None,
        "Three",
        words[5],
        "Four",
    ]
