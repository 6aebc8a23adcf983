"""A turn belongs to the server: readers come, leave at any point, and read on."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer
from tests.support.stream import SseEvent, streamed
from tests.support.talk import body, hear, socket, tell

LAST_SEQ = 65
"""Of a reply of 64 deltas: started is 0, ended the last."""


async def whole(server: Server, path: str, **headers: str) -> list[SseEvent]:
    async with streamed(server, path, headers=headers) as events:
        return [event async for event in events]


async def stored(server: Server, conversation_id: str) -> list[dict[str, Any]]:
    async with server.client() as client:
        return (await client.get(f"/conversation/{conversation_id}")).json()["messages"]  # type: ignore[no-any-return]


async def test_leaving_a_stream_at_any_event_loses_nothing(server: Server) -> None:
    """Scenarios 8, 9 and 16: what was read before and after any point is what is stored, byte for byte."""

    async def leave_after(last: int) -> None:
        conversation_id, before = str(uuid4()), list[SseEvent]()
        async with streamed(server, json=body("Hi", model="mock/n64-d2", conversation_id=conversation_id)) as events:
            async for event in events:
                before.append(event)
                if event.seq == last:
                    break
        path = f"/turns/{before[0].data['turn_id']}/stream"
        after = await whole(server, path, **{"Last-Event-ID": f"{before[0].data['turn_id']}:{last}"})
        again = await whole(server, path)
        text = "".join(event.content for event in before + after)

        assert [event.raw for event in before + after] == [event.raw for event in again]
        assert [event.seq for event in again] == [*range(LAST_SEQ + 1), None]
        assert text == (await stored(server, conversation_id))[1]["content"]

    for first in range(0, LAST_SEQ, 13):
        await asyncio.gather(*(leave_after(last) for last in range(first, min(first + 13, LAST_SEQ))))


async def test_leaving_a_socket_at_any_event_loses_nothing(server: Server) -> None:
    """Scenario 10: a socket that comes back with the last ``seq`` it saw hears the rest, the end included."""

    async def leave_after(last: int) -> None:
        conversation_id, heard = str(uuid4()), list[dict[str, Any]]()
        async with socket(server) as opened:
            await tell(opened, type="message", message="Hi", model="mock/n64-d2", conversation_id=conversation_id)
            while not heard or heard[-1].get("seq") != last:
                heard.append(await hear(opened))
        turn_id = next(event["turn_id"] for event in heard if "turn_id" in event)
        async with socket(server) as opened:
            await tell(opened, type="resume", turn_id=turn_id, after_seq=last)
            while heard[-1]["type"] != "message":
                heard.append(await hear(opened))
        text = "".join(event["content"] for event in heard if event["type"] == "delta")

        assert [event["seq"] for event in heard if "seq" in event] == list(range(LAST_SEQ + 1))
        assert text == heard[-1]["message"]["content"] == (await stored(server, conversation_id))[1]["content"]

    for first in range(0, LAST_SEQ, 13):
        await asyncio.gather(*(leave_after(last) for last in range(first, min(first + 13, LAST_SEQ))))


async def test_a_turn_can_be_polled_to_its_end(server: Server) -> None:
    """Scenario 10: whoever missed the terminal event asks how the turn stands."""
    async with streamed(server, json=body("Hi", model="mock/n8-d5")) as events:
        started = await anext(events)
    await whole(server, f"/turns/{started.data['turn_id']}/stream")
    async with server.client() as client:
        status = (await client.get(f"/turns/{started.data['turn_id']}")).json()

    assert status["state"] == "completed"
    assert status["content"]
    assert status["usage"]


async def test_an_expired_turn_is_gone_and_never_runs_again(start_server: StartServer, mock_openrouter: Mock) -> None:
    """Scenario 17."""
    server = start_server(
        OPENROUTER_BASE_URL=mock_openrouter.base_url, OPENROUTER_API_KEY="k", IDOLCHAT_TURN_RETENTION_S="0"
    )
    async with server.client() as client:
        turn_id = (await client.post("/chat", json=body("Hi", model="mock/echo"))).json()["turn_id"]
        stream = await client.get(f"/turns/{turn_id}/stream")
        status = await client.get(f"/turns/{turn_id}")

    assert (stream.status_code, stream.json()["error"]["code"]) == (410, "turn_expired")
    assert status.json()["state"] == "completed"
    assert len(mock_openrouter.bodies()) == 1


async def test_a_retry_is_a_turn_of_its_own_and_counts_from_zero(server: Server) -> None:
    """Scenario 15: ``seq`` begins again only under another turn's id."""
    async with streamed(server, json=body("Hi", model="mock/n8-x400-k1-retry")) as events:
        failed = [event async for event in events]
    async with server.client() as client:
        retried = await client.post(f"/turns/{failed[0].data['turn_id']}/retry", json={"stream": True})

    assert retried.status_code == 200
    assert f"{failed[0].data['turn_id']}:" not in retried.text
    assert ":0\n" in retried.text


PHASES = {"before the first token": "mock/n8-w60000", "while it streams": "mock/n64-d1000"}


@pytest.mark.parametrize("model", PHASES.values(), ids=PHASES)
@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
async def test_a_client_that_leaves_closes_the_connection_upstream_if_it_said_so(
    server: Server, mock_openrouter: Mock, path: str, model: str
) -> None:
    """Scenario 30: at once, streamed or not, before the first token too."""
    async with server.client() as client:
        request = asyncio.create_task(client.post(path, json=body("Hi", model=model, on_disconnect="cancel")))
        await mock_openrouter.wait_for_replies(1)
        request.cancel()
        async with asyncio.timeout(45):
            await mock_openrouter.wait_for_replies(0)


async def test_a_client_that_leaves_changes_nothing_otherwise(server: Server, mock_openrouter: Mock) -> None:
    """Scenario 8: the reply is there when the client comes back."""
    conversation_id = str(uuid4())
    async with streamed(server, json=body("Hi", model="mock/n32-d10", conversation_id=conversation_id)) as events:
        started = await anext(events)
    await whole(server, f"/turns/{started.data['turn_id']}/stream")

    assert (await stored(server, conversation_id))[1]["finish_reason"] == "stop"


async def test_what_was_said_is_kept_when_a_turn_is_stopped(server: Server, mock_openrouter: Mock) -> None:
    """Scenarios 11, 12 and 31: kept as cancelled, its usage counted, and a message right after has the history."""
    conversation_id = str(uuid4())
    async with streamed(server, json=body("Sing", model="mock/n64-h8", conversation_id=conversation_id)) as events:
        seen = [await anext(events) for _ in range(4)]
        async with server.client() as client:
            turn_id = seen[0].data["turn_id"]
            cancelled, after = await asyncio.gather(
                client.post(f"/turns/{turn_id}/cancel"),
                client.post("/chat", json=body("Stop", model="mock/echo", conversation_id=conversation_id)),
            )
        end = [event async for event in events]
    messages = await stored(server, conversation_id)
    sent = [(message["role"], message["content"]) for message in mock_openrouter.bodies()[-1]["messages"]]

    assert (cancelled.json()["state"], after.status_code) == ("cancelled", 200)
    assert end[-2].data["choices"][0]["finish_reason"] == "cancelled"
    assert messages[1]["finish_reason"] == "cancelled"
    assert messages[1]["usage"]["output_tokens"] > 0
    assert sent[1:] == [("user", "Sing"), ("assistant", messages[1]["content"]), ("user", "Stop")]


async def test_a_socket_can_stop_its_turn(server: Server) -> None:
    """Scenario 11, over the WebSocket."""
    async with socket(server) as opened:
        await tell(opened, type="message", message="Sing", model="mock/n64-h8")
        heard = [await hear(opened)]
        while heard[-1]["type"] != "delta":
            heard.append(await hear(opened))
        await tell(opened, type="cancel", turn_id=heard[-1]["turn_id"])
        while heard[-1]["type"] == "delta":
            heard.append(await hear(opened))

    assert heard[-1]["type"] == "cancelled"


async def test_streams_say_that_no_proxy_may_hold_them_back(server: Server) -> None:
    """Scenario 34."""
    async with server.client() as client, client.stream("POST", "/chat/stream", json=body("Hi")) as response:
        headers = response.headers

    assert headers["content-type"].startswith("text/event-stream")
    assert headers["x-accel-buffering"] == "no"
    assert headers["cache-control"] == "no-cache, no-transform"


async def test_a_silent_model_is_bridged_by_heartbeats(start_server: StartServer, mock_openrouter: Mock) -> None:
    """Scenario 34: comments come while nothing is said."""
    server = start_server(
        OPENROUTER_BASE_URL=mock_openrouter.base_url, OPENROUTER_API_KEY="k", IDOLCHAT_API_HEARTBEAT_S="0.1"
    )
    comments, end = 0, ""
    async with (
        asyncio.timeout(60),
        server.client() as client,
        client.stream("POST", "/chat/stream", json=body("Hi", model="mock/n2-h0")) as response,
    ):
        async for line in response.aiter_lines():
            comments += line.startswith(":")
            if comments == 2:
                mock_openrouter.release()
            end = line or end

    assert end == "data: [DONE]"
