"""Messages of a conversation over HTTP: answered again, edited, continued, rewritten and deleted."""

import asyncio
import re
from typing import Any

import httpx

from idolchat_core.testing import ScriptedProvider


async def test_a_reply_can_be_regenerated_and_the_first_chosen_again(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    provider.say("First.", "Second.")
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    first = (await client.post("/chat", json=body)).json()
    here = f"/conversation/{first['conversation_id']}"

    second = await client.post(f"{here}/regenerate", json={"temperature": 1.2})
    chosen = await client.patch(here, json={"head": first["message_id"]})
    await client.post("/chat", json={**body, "conversation_id": first["conversation_id"]})

    assert second.json()["choices"][0]["message"]["content"] == "Second."
    assert provider.requests[1].options == {"temperature": 1.2}
    assert chosen.status_code == 204
    assert [message["content"] for message in provider.requests[2].messages] == ["Hi", "First.", "Hi"]


async def test_an_edited_message_is_answered_on_a_branch_of_its_own(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    first = (await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]})).json()
    here = f"/conversation/{first['conversation_id']}"
    edited = {"messages": [{"role": "user", "content": "Good evening"}], "stream": True}

    reply = await client.post(f"{here}/messages/{first['user_message_id']}/edit", json=edited)

    assert reply.text.endswith("data: [DONE]\n\n")
    assert [message["content"] for message in provider.requests[1].messages] == ["Good evening"]
    assert len((await client.get(here)).json()["messages"]) == 4


async def test_a_reply_is_continued_beside_the_old_one(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say("Once", " upon", " a time")
    first = (await client.post("/chat", json={"messages": [{"role": "user", "content": "A story!"}]})).json()
    here = f"/conversation/{first['conversation_id']}"
    whole = (await client.post(f"{here}/messages/{first['message_id']}/continue", json={"max_tokens": 9})).json()
    streamed = await client.post(f"{here}/messages/{whole['message_id']}/continue", json={"stream": True})

    assert (whole["choices"][0]["message"]["content"], provider.requests[1].options) == ("Once upon", {"max_tokens": 9})
    assert "".join(re.findall(r'"content":"([^"]*)"', streamed.text)) == " a time"
    assert [message["content"] for message in (await client.get(here)).json()["messages"][1:]] == [
        "Once",
        "Once upon",
        "Once upon a time",
    ]


async def test_a_part_that_names_no_type_is_refused_where_a_message_is_said_or_rewritten(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    known = [{"type": "text", "text": "Hi", "mine": 1}, {"type": "hologram", "hologram": {}}]
    first = (await client.post("/chat", json={"messages": [{"role": "user", "content": known}]})).json()
    here = f"/conversation/{first['conversation_id']}/messages/{first['message_id']}/rewrite"
    rewritten = await client.post(here, json={"content": [*known, {}]})
    said = await client.post("/chat", json={"messages": [{"role": "user", "content": [*known, {}]}]})

    assert [request.messages[-1]["content"] for request in provider.requests] == [known]
    text = 'part 2 must name its `type`, as {"type": "text", "text": "Hi"} does'
    for refused, place in ((rewritten, "content"), (said, "messages.0.content")):
        error = refused.json()["error"]
        assert (refused.status_code, error["param"], error["message"]) == (422, place, f"{place}: {text}")


async def test_a_rewritten_message_is_the_head_and_nothing_is_asked(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    first = (await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]})).json()
    here = f"/conversation/{first['conversation_id']}"
    reply = await client.post(f"{here}/messages/{first['message_id']}/rewrite", json={"content": "Hello, you!"})
    await client.post("/chat", json={"messages": [{"role": "user", "content": "So?"}]} | ids_of(first))

    assert (reply.status_code, reply.json()["origin"], len(provider.requests)) == (201, "client", 2)
    assert [message["content"] for message in provider.requests[1].messages] == ["Hi", "Hello, you!", "So?"]


def ids_of(completion: dict[str, Any]) -> dict[str, Any]:
    return {"conversation_id": completion["conversation_id"]}


async def test_a_deleted_message_leaves_its_place(client: httpx.AsyncClient) -> None:
    first = (await client.post("/chat", json={"messages": [{"role": "user", "content": "My secret"}]})).json()
    here = f"/conversation/{first['conversation_id']}"
    replies = [
        await client.delete(f"{here}/messages/{first[name]}")
        for name in ("message_id", "user_message_id", "message_id")
    ]
    document = await client.get(here)

    assert [reply.status_code for reply in replies] == [204, 204, 204]
    assert "secret" not in document.text
    assert [message.keys() for message in document.json()["messages"]] == [
        {"id", "role", "content", "timestamp", "turn_id", "deleted_at"}
    ] * 2
    assert (await client.get(f"/turns/{first['turn_id']}/stream")).status_code == 410


async def test_a_message_is_not_deleted_while_a_turn_runs(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    first = (await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]})).json()
    released = asyncio.Event()
    provider.say([released])
    body = {"messages": [{"role": "user", "content": "Hi"}]} | ids_of(first)
    waiting = asyncio.create_task(client.post("/chat", json=body))
    await provider.wait_for_replies(1)
    reply = await client.delete(f"/conversation/{first['conversation_id']}/messages/{first['message_id']}")
    released.set()
    await waiting

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "conversation_busy")
