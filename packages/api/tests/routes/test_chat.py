"""``POST /chat``."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_core import Delta, Finished, Usage
from idolchat_core.errors import (
    ContextTooLong,
    ModelNotFound,
    NotAuthorized,
    PaymentRequired,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    ReplyCut,
    RequestRefused,
)
from idolchat_core.testing import InMemoryStorage, ScriptedProvider


def asking(text: str = "Hello!", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **fields}


async def test_a_reply_is_a_chat_completion_with_our_ids(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say("I practised a new song!")

    reply = await client.post("/chat", json=asking())

    said = reply.json()
    assert reply.status_code == 200
    assert said["object"] == "chat.completion"
    assert said["model"] == "scripted/model"
    assert said["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "I practised a new song!"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    for name in ("conversation_id", "turn_id", "user_message_id", "message_id"):
        assert str(UUID(said[name])) == said[name]


async def test_half_a_surrogate_pair_is_mended(client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
    body = b'{"messages": [{"role": "user", "content": "Hi \\ud83d"}], "user": "\\ude00"}'
    said = await client.post("/chat", content=body, headers={"Content-Type": "application/json"})

    assert said.status_code == 200
    stored = await storage.read(UUID(said.json()["conversation_id"]))
    assert stored.messages[0].content == "Hi \ufffd"


async def test_null_is_as_absent(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    names = (
        "stream",
        "on_busy",
        "on_disconnect",
        "model",
        "conversation_id",
        "user_id",
        "temperature",
        "logprobs",
        "n",
    )
    reply = await client.post("/chat", json={**asking(), **dict.fromkeys(names)})

    assert reply.status_code == 200
    assert provider.requests[0].options == {}


@pytest.mark.parametrize(("name", "value"), [("logprobs", True), ("top_logprobs", 5), ("top_logprobs", 0)])
async def test_log_probabilities_are_refused_since_they_are_not_kept(
    client: httpx.AsyncClient, name: str, value: object
) -> None:
    refused = await client.post("/chat", json={**asking(), name: value})

    assert (refused.status_code, refused.json()["error"]["param"]) == (422, name)
    assert "not kept" in refused.json()["error"]["message"]


async def test_a_reply_is_stored_when_it_is_sent(client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
    said = (await client.post("/chat", json=asking("Hi"))).json()

    stored = await storage.read(UUID(said["conversation_id"]))
    assert [str(message.id) for message in stored.messages] == [said["user_message_id"], said["message_id"]]


async def test_history_is_put_before_the_new_message(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say("One.", "Two.")
    first = (await client.post("/chat", json=asking("First?"))).json()

    await client.post("/chat", json=asking("Second?", conversation_id=first["conversation_id"]))

    sent = [(message["role"], message["content"]) for message in provider.requests[1].messages]
    assert sent == [("user", "First?"), ("assistant", "One."), ("user", "Second?")]


async def test_other_fields_go_to_the_provider(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    await client.post("/chat", json=asking(temperature=0.3, models=["a", "b"], response_format={"type": "json_object"}))

    assert provider.requests[0].options == {
        "temperature": 0.3,
        "models": ["a", "b"],
        "response_format": {"type": "json_object"},
    }


async def test_usage_has_openais_names(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    usage = Usage(input_tokens=10, output_tokens=2, cached_tokens=8, reasoning_tokens=1, cost=0.5)
    provider.say([Delta("Hi"), Finished(finish_reason="stop", usage=usage)])

    said = (await client.post("/chat", json=asking())).json()

    assert said["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 1},
        "cost": 0.5,
    }


async def test_a_tool_call_is_given_as_openai_does(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "sing", "arguments": "{}"}}
    provider.say([Delta(fields={"tool_calls": [{"index": 0, **call}]}), Finished(finish_reason="tool_calls")])

    said = (await client.post("/chat", json=asking())).json()

    assert said["choices"][0]["message"] == {"role": "assistant", "content": None, "tool_calls": [call]}
    assert said["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ProviderUnavailable("down"), 502),
        (ProviderTimeout("slow"), 504),
        (ReplyCut("cut"), 502),
        (RateLimited("slower", retry_after_s=7), 429),
        (PaymentRequired("no credit"), 402),
        (ContextTooLong("too long"), 400),
        (ModelNotFound("no such model"), 404),
        (RequestRefused("no"), 400),
        (NotAuthorized("bad key"), 502),
        (ProviderError("odd"), 502),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_a_failed_turn_has_the_status_of_its_error(
    client: httpx.AsyncClient, provider: ScriptedProvider, error: ProviderError, status: int
) -> None:
    provider.say([error], [error])

    reply = await client.post("/chat", json=asking())

    said = reply.json()["error"]
    assert reply.status_code == status
    assert (said["code"], said["message"]) == (error.code, str(error))
    assert said["request_id"] == reply.headers["x-request-id"]


async def test_when_to_come_back_is_told(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say([RateLimited("slower", retry_after_s=6.2)])

    reply = await client.post("/chat", json=asking())

    assert reply.headers["retry-after"] == "7"


async def test_a_failed_turn_can_be_retried_by_its_id(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say([ProviderUnavailable("down")], "Here I am.")
    failed = (await client.post("/chat", json=asking("Are you there?"))).json()["error"]

    reply = await client.post(f"/turns/{failed['turn_id']}/retry")

    assert reply.json()["choices"][0]["message"]["content"] == "Here I am."
    assert reply.json()["conversation_id"] == failed["conversation_id"]
    assert [message["content"] for message in provider.requests[1].messages] == ["Are you there?"]


async def test_a_reply_cut_half_way_is_an_error_and_its_part_is_kept(
    client: httpx.AsyncClient, provider: ScriptedProvider, storage: InMemoryStorage
) -> None:
    provider.say(["Once upon", ReplyCut("the reply was cut")])

    reply = await client.post("/chat", json=asking())

    said = reply.json()["error"]
    assert (reply.status_code, said["code"], said["state"]) == (502, "reply_cut", "incomplete")
    kept = (await storage.read(UUID(said["conversation_id"]))).messages[-1]
    assert (kept.content, kept.finish_reason) == ("Once upon", "incomplete")


async def test_a_cancelled_turn_gives_what_was_said(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    conversation_id = str(uuid4())
    provider.say(["Once upon ", asyncio.Event()])
    waiting = asyncio.create_task(client.post("/chat", json=asking(conversation_id=conversation_id)))
    await provider.wait_for_replies(1)
    stored = (await client.get(f"/conversation/{conversation_id}")).json()

    await client.post(f"/turns/{stored['messages'][0]['turn_id']}/cancel")

    said = (await waiting).json()["choices"][0]
    assert (said["message"]["content"], said["finish_reason"]) == ("Once upon ", "cancelled")


async def test_a_client_that_leaves_stops_a_turn_that_says_so(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    """Scenario 30: a client that disconnects from a whole reply stops the request upstream."""
    provider.say([asyncio.Event()])
    waiting = asyncio.create_task(client.post("/chat", json=asking(on_disconnect="cancel")))
    await provider.wait_for_replies(1)

    waiting.cancel()

    async with asyncio.timeout(60):
        await provider.wait_for_replies(0)


async def test_a_client_that_leaves_changes_nothing_else(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    """Scenario 8: the reply is there for who comes back."""
    conversation_id, go_on = str(uuid4()), asyncio.Event()
    provider.say([go_on, "Done."])
    waiting = asyncio.create_task(client.post("/chat", json=asking(conversation_id=conversation_id)))
    await provider.wait_for_replies(1)
    waiting.cancel()
    go_on.set()
    await provider.wait_for_replies(0)

    again = await client.post("/chat", json=asking("And?", conversation_id=conversation_id))

    stored = (await client.get(f"/conversation/{conversation_id}")).json()
    assert again.status_code == 200
    assert stored["messages"][1]["content"] == "Done."


async def test_stream_asks_for_events_here_too(client: httpx.AsyncClient) -> None:
    reply = await client.post("/chat", json=asking("Hi", stream=True))

    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("key", ['"a key, quoted"', "bare-key", '"with \\"quotes\\""', '"key";param=1'])
async def test_the_same_key_gives_the_same_reply(
    client: httpx.AsyncClient, provider: ScriptedProvider, key: str
) -> None:
    """Scenario 18: a request sent twice is one turn."""
    first = await client.post("/chat", json=asking(), headers={"Idempotency-Key": key})
    second = await client.post("/chat", json=asking(), headers={"Idempotency-Key": key})

    assert second.json() == first.json()
    assert len(provider.requests) == 1


async def test_a_quoted_and_a_bare_key_are_the_same_key(client: httpx.AsyncClient) -> None:
    first = await client.post("/chat", json=asking(), headers={"Idempotency-Key": '"key-1"'})
    second = await client.post("/chat", json=asking(), headers={"Idempotency-Key": "key-1"})

    assert second.json()["turn_id"] == first.json()["turn_id"]


async def test_a_key_used_for_something_else_is_refused(client: httpx.AsyncClient) -> None:
    """Scenario 19."""
    await client.post("/chat", json=asking("One"), headers={"Idempotency-Key": '"k"'})

    reply = await client.post("/chat", json=asking("Two"), headers={"Idempotency-Key": '"k"'})

    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "key", ['""', '"unclosed', "two keys", "", '"ünïcode"', "k" * 256, '"' + "k" * 256 + '"', '"a", "b"']
)
async def test_a_malformed_key_is_refused(client: httpx.AsyncClient, provider: ScriptedProvider, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode()}

    reply = await client.post("/chat", json=asking(), headers=headers)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert not provider.requests


@pytest.mark.parametrize("key", ["k" * 255, '"' + "k" * 255 + '"'])
async def test_a_key_may_have_so_many_characters(client: httpx.AsyncClient, key: str) -> None:
    assert (await client.post("/chat", json=asking(), headers={"Idempotency-Key": key})).status_code == 200


async def test_a_key_given_twice_is_refused(client: httpx.AsyncClient) -> None:
    headers = [("Idempotency-Key", '"a"'), ("Idempotency-Key", '"b"')]

    reply = await client.post("/chat", json=asking(), headers=headers)

    assert reply.json()["error"]["code"] == "malformed_request"


@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]}, "messages.1"),
        ({"messages": [{"role": "system", "content": "x"}]}, None),
        (asking(conversation_id="first"), "conversation_id"),
        (asking(user_id=7), "user_id"),
        (asking(character_id="../etc"), "character_id"),
        (asking(model=""), "model"),
        (asking(on_busy="push"), "on_busy"),
        (asking(on_disconnect="shrug"), "on_disconnect"),
        (asking(n=2), "n"),
        (asking(logprobs=True, top_logprobs=3), "logprobs"),
        (asking(top_logprobs=3), "top_logprobs"),
        (asking(api_base="http://elsewhere.example"), "api_base"),
        ([asking()], None),
        ("Hello", None),
    ],
)
async def test_what_is_wrong_with_a_body_is_told_with_its_place(
    client: httpx.AsyncClient, provider: ScriptedProvider, path: str, body: Any, param: str | None
) -> None:
    reply = await client.post(path, json=body, headers={"Content-Type": "application/json"})

    said = reply.json()["error"]
    assert (reply.status_code, said["code"], said.get("param")) == (422, "invalid_request", param)
    assert "tuple" not in said["message"].lower()
    assert not provider.requests


@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"messages": [}', b"\xff\xfe", b'{"messages": "\xed\xa0\x80"}', b"[" * 100_000]
)
async def test_a_body_that_is_not_json_is_malformed(client: httpx.AsyncClient, path: str, body: bytes) -> None:
    reply = await client.post(path, content=body, headers={"Content-Type": "application/json"})

    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_a_body_of_another_type_is_not_read(
    client: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    reply = await client.post(path, content=b'{"messages": [{"role": "user", "content": "x"}]}', headers=headers)

    assert (reply.status_code, reply.json()["error"]["code"]) == (415, "unsupported_media_type")


async def test_what_a_user_wrote_is_not_repeated_in_errors(client: httpx.AsyncClient) -> None:
    reply = await client.post("/chat", json={"messages": [{"role": "my secret", "content": {"my": "secret"}}]})

    assert reply.status_code == 422
    assert "secret" not in reply.text


@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
async def test_a_body_that_is_too_large_is_refused(client: httpx.AsyncClient, settings: ApiSettings, path: str) -> None:
    body = b'{"messages": "' + b"x" * settings.max_body_bytes + b'"}'

    reply = await client.post(path, content=body, headers={"Content-Type": "application/json"})

    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")
    assert (await client.post("/chat", json=asking())).status_code == 200


async def test_a_large_body_of_unknown_length_is_refused(client: httpx.AsyncClient, settings: ApiSettings) -> None:
    async def body() -> Any:
        for _ in range(settings.max_body_bytes // 100_000 + 1):
            yield b"x" * 100_000

    reply = await client.post("/chat", content=body(), headers={"Content-Type": "application/json"})

    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")


async def test_a_body_of_unknown_length_within_the_limit_is_read(client: httpx.AsyncClient) -> None:
    async def body() -> Any:
        yield b'{"messages": [{"role": "user",'
        yield b' "content": "Hi"}]}'

    reply = await client.post("/chat", content=body(), headers={"Content-Type": "application/json"})

    assert reply.status_code == 200


async def test_another_users_conversation_is_a_conflict(client: httpx.AsyncClient) -> None:
    mine = (await client.post("/chat", json=asking(user_id=str(uuid4())))).json()["conversation_id"]

    reply = await client.post("/chat", json=asking(conversation_id=mine, user_id=str(uuid4())))

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "conversation_mismatch")


async def test_a_busy_conversation_can_be_refused(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    conversation_id, go_on = str(uuid4()), asyncio.Event()
    provider.say([go_on])
    waiting = asyncio.create_task(client.post("/chat", json=asking(conversation_id=conversation_id)))
    await provider.wait_for_replies(1)

    reply = await client.post("/chat", json=asking(conversation_id=conversation_id, on_busy="reject"))

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "conversation_busy")
    go_on.set()
    assert (await waiting).status_code == 200
