"""One conversation, several senders; one message, sent several times."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.talk import body


async def send(client: httpx.AsyncClient, text: str, *, key: str | None = None, **more: Any) -> httpx.Response:
    headers = {"Idempotency-Key": f'"{key}"'} if key else {}
    return await client.post("/chat", json=body(text, **more), headers=headers)


POLICIES = {"enqueue": {200, 429}, "reject": {200, 409}, "interrupt": {200, 429}, "rollback": {200, 429}}


@pytest.mark.parametrize("policy", POLICIES)
async def test_fifty_senders_at_once_leave_one_linear_conversation(server: Server, policy: str) -> None:
    """Scenario 5, with each policy: what was accepted is there once, in order, and every message has its reply."""
    conversation_id = str(uuid4())
    async with server.client() as client:
        sends = (
            send(client, f"message {number}", conversation_id=conversation_id, on_busy=policy, model="mock/n4-d1")
            for number in range(50)
        )
        responses = await asyncio.gather(*sends)
    messages = server.messages(conversation_id)
    texts = [message["content"] for message in messages if message["role"] == "user"]
    accepted = [response for response in responses if response.status_code == 200]

    assert {response.status_code for response in responses} <= POLICIES[policy]
    assert len(texts) == len(set(texts)) == len(accepted) >= 1
    assert [message["role"] for message in messages] == ["user", "assistant"] * len(accepted)


async def test_fifty_sends_of_one_key_are_one_turn(server: Server, mock_openrouter: Mock) -> None:
    """Scenario 18: one provider call, one message id, one reply."""
    key = str(uuid4())
    async with server.client() as client:
        responses = await asyncio.gather(*(send(client, "Hi", key=key, model="mock/n8-d5") for _ in range(50)))
        later = await send(client, "Hi", key=key, model="mock/n8-d5")
    replies = [response.json() for response in (*responses, later)]

    assert len({reply["user_message_id"] for reply in replies}) == 1
    assert len({reply["turn_id"] for reply in replies}) == 1
    assert len({reply["choices"][0]["message"]["content"] for reply in replies}) == 1
    assert len(mock_openrouter.bodies()) == 1


async def test_a_key_holds_over_a_crash(server: Server, mock_openrouter: Mock) -> None:
    """Scenario 18: the reply is replayed, and the new conversation is the same one."""
    key = str(uuid4())
    async with server.client() as client:
        before = (await send(client, "Hi", key=key)).json()
    server.kill()
    server.start()
    async with server.client() as client:
        after = (await send(client, "Hi", key=key)).json()

    assert after["conversation_id"] == before["conversation_id"]
    assert after["choices"] == before["choices"]
    assert (after["turn_id"], after["message_id"]) == (before["turn_id"], before["message_id"])
    assert len(mock_openrouter.bodies()) == 1


async def test_a_key_with_another_body_is_refused(server: Server) -> None:
    """Scenario 19."""
    key = str(uuid4())
    async with server.client() as client:
        await send(client, "Hi", key=key)
        other = await send(client, "Bye", key=key)

    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")


async def test_a_message_is_not_lost_when_our_key_is_refused(server: Server, mock_openrouter: Mock) -> None:
    """Scenario 14: the provider's 401 does not consume the message; the same key sends it when that is mended."""
    key, conversation_id = str(uuid4()), str(uuid4())
    model = f"mock/echo-x401-k1-{uuid4().hex}"
    async with server.client() as client:
        refused = await send(client, "Hi", key=key, model=model, conversation_id=conversation_id)
        again = await send(client, "Hi", key=key, model=model, conversation_id=conversation_id)
    asked = [message for message in server.messages(conversation_id) if message["role"] == "user"]

    assert (refused.status_code, again.status_code) == (502, 200)
    assert len(asked) == 1


async def test_five_failures_and_a_success_send_alternating_roles(server: Server, mock_openrouter: Mock) -> None:
    """Scenario 20: the failed texts are kept, and not sent again."""
    conversation_id = str(uuid4())
    async with server.client() as client:
        for number in range(5):
            failed = await send(client, f"try {number}", conversation_id=conversation_id, model="mock/x400")
            assert failed.status_code >= 400
        await send(client, "at last", conversation_id=conversation_id, model="mock/echo")
    sent = [(message["role"], message["content"]) for message in mock_openrouter.bodies()[-1]["messages"]]

    assert sent[1:] == [("user", "at last")]
    assert len([m for m in server.messages(conversation_id) if m["role"] == "user"]) == 6
