"""A turn that one server runs is read, stopped and tried again through the others."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from idolchat_core.testing import until
from tests.support.cluster import Cluster
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.stream import SseEvent, streamed
from tests.support.talk import body, hear, socket, tell

LAST_SEQ = 65
"""Of a reply of 64 deltas: started is 0, ended the last."""


async def whole(server: Server, path: str) -> list[SseEvent]:
    async with streamed(server, path) as events:
        return [event async for event in events]


async def heard_by_socket(server: Server, turn_id: str, *, after: int) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    async with socket(server) as opened:
        await tell(opened, type="resume", turn_id=turn_id, after_seq=after)
        while not heard or heard[-1]["type"] != "message":
            heard.append(await hear(opened))
            assert heard[-1]["type"] != "error", heard[-1]
    return heard


async def polled(server: Server, turn_id: str) -> dict[str, Any]:
    async with server.client() as client:

        async def status() -> dict[str, Any]:
            found: dict[str, Any] = (await client.get(f"/turns/{turn_id}")).json()
            return found

        return await until("a turn that is over", status, lambda found: found["state"] not in ("queued", "running"))


async def test_a_turn_is_followed_on_the_other_servers_byte_for_byte(cluster: Cluster) -> None:
    one, second, third = cluster.servers
    async with streamed(one, json=body("Hi", model="mock/n64-d25", conversation_id=str(uuid4()))) as events:
        there = [await anext(events)]
        turn_id = there[0].data["turn_id"]
        path = f"/turns/{turn_id}/stream"
        reading = [asyncio.create_task(whole(server, path)) for server in (second, third, second)]
        sockets = [asyncio.create_task(heard_by_socket(server, turn_id, after=-1)) for server in (second, third)]
        polling = asyncio.create_task(polled(third, turn_id))
        async for event in events:
            there.append(event)
            if event.seq == 20:
                break
    middle = asyncio.create_task(whole(third, f"{path}?after=20"))
    by_socket = asyncio.create_task(heard_by_socket(second, turn_id, after=20))
    here = await whole(one, path)

    raw = [event.raw for event in here]
    assert [event.raw for event in there] == raw[:21]
    assert [event.seq for event in here] == [*range(LAST_SEQ + 1), None]
    for read in reading:
        assert [event.raw for event in await read] == raw
    assert [event.raw for event in await middle] == raw[21:]
    own = await heard_by_socket(one, turn_id, after=-1)
    for each in sockets:
        assert await each == own
    assert await by_socket == own[-len(await by_socket) :]
    assert (await polling)["content"] == own[-1]["message"]["content"]


@pytest.mark.parametrize("model", ["mock/n64-w60000", "mock/n64-d1000"], ids=["before it speaks", "while it speaks"])
async def test_a_turn_is_cancelled_through_another_server(cluster: Cluster, model: str) -> None:
    one, second, third = cluster.servers
    async with streamed(one, json=body("Hi", model=model)) as events, second.client() as client:
        turn_id = (await anext(events)).data["turn_id"]
        stopped = (await client.post(f"/turns/{turn_id}/cancel")).json()
        rest = [event async for event in events]

    assert stopped["state"] == "cancelled"
    assert rest[-2].data["choices"][0]["finish_reason"] == "cancelled" or rest[-2].data
    assert (await polled(third, turn_id))["state"] == "cancelled"


async def test_a_turn_that_failed_is_tried_again_through_another_server(cluster: Cluster) -> None:
    one, second, third = cluster.servers
    async with streamed(one, json=body("Hi", model="mock/n8-x400-k1-again")) as events:
        failed = [event async for event in events]
    turn_id = failed[0].data["turn_id"]
    async with second.client() as client, third.client() as other:
        retried = (await client.post(f"/turns/{turn_id}/retry", json={"model": "mock/n8"})).json()
        assert "choices" in retried, retried
        document = (await other.get(f"/conversation/{failed[0].data['conversation_id']}")).json()

    assert retried["choices"][0]["finish_reason"] == "stop"
    assert document["messages"][-1]["content"] == retried["choices"][0]["message"]["content"]
    assert [message["role"] for message in document["messages"]] == ["user", "assistant", "assistant"]


async def test_replies_are_made_anew_and_messages_edited_through_other_servers(cluster: Cluster) -> None:
    one, second, third = cluster.servers
    async with one.client() as client, second.client() as other, third.client() as last:
        said = (await client.post("/chat", json=body("Hi", model="mock/echo"))).json()
        conversation = f"/conversation/{said['conversation_id']}"
        await other.post(f"{conversation}/regenerate", json={"model": "mock/echo"})
        edit = f"{conversation}/messages/{said['user_message_id']}/edit"
        edited = await last.post(edit, json=body("Hello", model="mock/echo"))
        document = (await client.get(conversation)).json()

    assert edited.status_code == 200
    assert [message["content"] for message in document["messages"]] == ["Hi", "Hi", "Hi", "Hello", "Hello"]


@pytest.mark.parametrize("on_busy", ["enqueue", "interrupt", "rollback", "reject"])
async def test_what_is_sent_while_another_server_answers_waits_stops_it_or_is_refused(
    cluster: Cluster, mock_openrouter: Mock, on_busy: str
) -> None:
    one, second, _ = cluster.servers
    conversation_id = str(uuid4())
    # Who is to wait has an end to wait for; the others find it answering however late they come.
    model = "mock/n64-d20" if on_busy == "enqueue" else "mock/n64-h8"
    slow = body("Sing", model=model, conversation_id=conversation_id)
    async with streamed(one, json=slow) as events, second.client() as client:
        await anext(events)
        sent = body("Well?", model="mock/echo", conversation_id=conversation_id, on_busy=on_busy)
        reply = await client.post("/chat", json=sent)
        mock_openrouter.release()
        rest = [event async for event in events]
        document = (await client.get(f"/conversation/{conversation_id}")).json()

    reasons = [message["finish_reason"] for message in document["messages"] if message["role"] == "assistant"]
    expected = {"enqueue": ["stop", "stop"], "interrupt": ["cancelled", "stop"], "reject": ["stop"]}
    assert reply.status_code == (409 if on_busy == "reject" else 200)
    assert reasons == expected.get(on_busy, ["cancelled", "stop"])
    assert rest


async def test_of_many_who_write_to_one_conversation_through_all_servers_each_is_answered_or_refused(
    cluster: Cluster,
) -> None:
    conversation_id, texts = str(uuid4()), [f"This is {number}" for number in range(64)]
    async with cluster.client() as client:
        sent = [body(text, model="mock/echo", conversation_id=conversation_id) for text in texts]
        replies = await asyncio.gather(*(client.post("/chat", json=each) for each in sent))
        page = await client.get(f"/conversation/{conversation_id}", params={"limit": 200})
    messages = page.json()["messages"]
    answered = {text for text, reply in zip(texts, replies, strict=True) if reply.status_code == 200}

    assert {reply.status_code for reply in replies} <= {200, 429}
    assert len(answered) > 1
    said = [(message["role"], message["content"]) for message in messages]
    assert {text for role, text in said if role == "user"} == answered
    assert said[::2] == [("user", text) for _, text in said[1::2]]
    assert len(said) == 2 * len(answered)


async def test_the_same_key_three_times_on_three_servers_at_once_runs_one_turn(cluster: Cluster) -> None:
    clients = [server.client() for server in cluster.servers]
    try:
        for _ in range(20):
            sent = body("Once", model="mock/echo")
            key = {"Idempotency-Key": f'"{uuid4()}"'}
            replies = await asyncio.gather(*(client.post("/chat", json=sent, headers=key) for client in clients * 3))
            told = [reply.json() for reply in replies]

            assert [reply.status_code for reply in replies] == [200] * 9, told
            assert len({reply["message_id"] for reply in told}) == 1
            document = (await clients[0].get(f"/conversation/{told[0]['conversation_id']}")).json()
            assert [message["content"] for message in document["messages"]] == ["Once", "Once"]
    finally:
        for client in clients:
            await client.aclose()


async def test_a_key_of_a_turn_that_waits_on_one_server_is_refused_on_another_for_another_message(
    cluster: Cluster,
) -> None:
    one, second, _ = cluster.servers
    conversation_id, key = str(uuid4()), {"Idempotency-Key": f'"{uuid4()}"'}
    slow = body("Sing", model="mock/n4000-d50", conversation_id=conversation_id)
    waiting = body("Well?", model="mock/echo", conversation_id=conversation_id)
    other = body("Never mind", model="mock/echo", conversation_id=conversation_id)
    async with streamed(one, json=slow) as events, second.client() as client:
        turn_id = (await anext(events)).data["turn_id"]
        async with streamed(one, json=waiting, headers=key) as waits:
            assert (await anext(waits)).data["turns_ahead"] == 1
            refused = await client.post("/chat", json=other, headers=key)
            await client.post(f"/turns/{turn_id}/cancel")
            answered = [event async for event in waits]

    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert answered[-2].data["choices"][0]["finish_reason"] == "stop"


async def test_the_events_of_a_turn_that_is_over_are_read_on_the_others_also_when_its_server_has_left(
    cluster: Cluster,
) -> None:
    one, second, third = cluster.servers
    async with streamed(one, json=body("Hi", model="mock/n8")) as events:
        there = [event async for event in events]
    path = f"/turns/{there[0].data['turn_id']}/stream"
    here = await whole(one, path)
    elsewhere = await whole(second, path)
    await asyncio.to_thread(one.stop)
    left = await whole(third, f"{path}?after=3")

    assert [event.raw for event in elsewhere] == [event.raw for event in here]
    assert [event.raw for event in left] == [event.raw for event in here][4:]
