"""Server-sent events, read as clients read them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk
from pydantic import TypeAdapter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idolchat_api import ApiSettings, create_app
from idolchat_api.streaming.event_models import Chunk
from idolchat_api.testing import serving_app
from idolchat_core import Delta, Finished, Usage
from idolchat_core.errors import ProviderUnavailable, RateLimited, ReplyCut
from idolchat_core.plugins.loader import Plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

CHUNK: TypeAdapter[Chunk] = TypeAdapter(Chunk)
DONE = "data: [DONE]"


def asking(text: str = "Hello!", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def events_of(text: str) -> list[str]:
    """The events of a stream, without comments and the reconnection time."""
    events = (
        "\n".join(line for line in event.split("\n") if not line.startswith((":", "retry:")))
        for event in text.split("\n\n")
    )
    found = [event for event in events if event]
    for data in (event.partition("data: ")[2] for event in found):
        if data != "[DONE]":
            CHUNK.validate_json(data)  # as the AsyncAPI document says
    return found


def chunks_of(text: str) -> list[dict[str, Any]]:
    data = [event.partition("data: ")[2] for event in events_of(text)]
    return [json.loads(line) for line in data if line != "[DONE]"]


@asynccontextmanager
async def reading(client: httpx.AsyncClient, path: str, **fields: Any) -> AsyncGenerator[AsyncGenerator[str]]:
    """Open a stream; gives each of its events when its last byte is there."""

    async def events() -> AsyncGenerator[str]:
        text = ""
        async for piece in response.aiter_bytes():
            text += piece.decode()
            *whole, text = text.split("\n\n")
            for event in events_of("\n\n".join(whole)):
                yield event

    request = client.stream("GET", path) if path.startswith("/turns") else client.stream("POST", path, **fields)
    async with request as response, aclosing(events()) as found, asyncio.timeout(60):
        yield found


async def test_a_stream_is_a_start_the_deltas_the_end_and_done(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    provider.say("I sang today.")

    reply = await client.post("/chat/stream", json=asking())

    chunks = chunks_of(reply.text)
    assert [chunk["object"] for chunk in chunks] == ["chat.completion.chunk"] * 5
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "I sang today."
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 4 + ["stop"]
    assert reply.text.endswith(f"{DONE}\n\n")
    assert reply.text.count(DONE) == 1


async def test_the_first_event_tells_the_ids_and_the_last_the_message(
    client: httpx.AsyncClient, storage: InMemoryStorage
) -> None:
    reply = await client.post("/chat/stream", json=asking())

    first, *_, last = chunks_of(reply.text)
    asked, answered = (await storage.read(UUID(first["conversation_id"]))).messages
    assert (first["user_message_id"], last["message_id"]) == (str(asked.id), str(answered.id))
    assert first["turn_id"] == last["turn_id"] == str(answered.turn_id)
    assert last["usage"] == {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}


async def test_event_ids_are_the_turn_and_the_seq(client: httpx.AsyncClient) -> None:
    reply = await client.post("/chat/stream", json=asking("one two"))

    ids = [event.splitlines()[0] for event in events_of(reply.text)[:-1]]
    turn_id = chunks_of(reply.text)[0]["turn_id"]
    assert ids == [f"id: {turn_id}:{seq}" for seq in range(4)]


async def test_proxies_are_told_not_to_hold_a_stream_back(client: httpx.AsyncClient) -> None:
    """Scenario 34."""
    reply = await client.post("/chat/stream", json=asking())

    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache, no-transform"
    assert reply.headers["x-accel-buffering"] == "no"
    assert reply.text.startswith("retry: 2000\n")


async def test_the_first_event_comes_before_the_first_token(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    """Scenario 16: and each delta when it is made, not at the end."""
    first_token, second_token = asyncio.Event(), asyncio.Event()
    provider.say([first_token, "one ", second_token, "two"])
    async with reading(client, "/chat/stream", json=asking()) as events:
        started = await anext(events)
        first_token.set()
        first = await anext(events)
        second_token.set()
        rest = [event async for event in events]

    assert '"role":"assistant"' in started
    assert '"content":"one "' in first
    assert '"content":"two"' in rest[0]
    assert rest[-1] == DONE


async def test_the_reply_is_stored_before_done(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    async with reading(client, "/chat/stream", json=asking()) as events:
        async for event in events:
            if '"finish_reason":"stop"' in event:
                break
        conversation_id = json.loads(event.partition("data: ")[2])["conversation_id"]
        stored = (await client.get(f"/conversation/{conversation_id}")).json()

    assert [message["role"] for message in stored["messages"]] == ["user", "assistant"]


@pytest.mark.parametrize(
    "text",
    ["你好🌸", "line\u2028and\u2029\u0085next", "a\r\nb\rc\nd", "data: x\n\n", "100% %d %b", '"\\', "\x00\x1f\x7f"],
)
async def test_any_text_survives(client: httpx.AsyncClient, provider: ScriptedProvider, text: str) -> None:
    """Scenarios 35 and 36: and no line of the stream is broken where a careless reader would break it."""
    provider.say(list(text))

    reply = await client.post("/chat/stream", json=asking())

    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks_of(reply.text)) == text
    assert reply.text.splitlines() == reply.text.split("\n")[:-1]


async def test_openais_client_reads_a_stream(url: str, provider: ScriptedProvider) -> None:
    usage = Usage(input_tokens=5, output_tokens=2, cost=0.1)
    provider.say([Delta("Hi "), Delta("there\u2028!"), Finished(finish_reason="stop", usage=usage)])

    async with _openai_client(url) as client:
        stream = await _streamed(client)
        chunks = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi there\u2028!"
    last = chunks[-1].usage
    assert last is not None
    assert (last.prompt_tokens, last.completion_tokens, last.total_tokens) == (5, 2, 7)


async def test_openais_client_takes_a_failure_in_the_stream_for_one(url: str, provider: ScriptedProvider) -> None:
    """Scenario 27: an error half-way is never an empty success."""
    provider.say(["Once", ProviderUnavailable("the provider went away")])

    async with _openai_client(url) as client:
        stream = await _streamed(client)
        with pytest.raises(openai.APIError, match="the provider went away"):
            async for _ in stream:
                pass


async def test_a_turn_that_fails_ends_the_stream_with_its_error(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    """Scenario 29: every stream ends with exactly one terminal event."""
    provider.say([RateLimited("slower, please", retry_after_s=3)])

    reply = await client.post("/chat/stream", json=asking())

    last = chunks_of(reply.text)[-1]
    assert reply.status_code == 200
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"] == {
        "message": "slower, please",
        "type": "rate_limit_error",
        "code": "rate_limited",
        "retry_after_s": 3,
    }
    assert last["state"] == "failed"
    assert events_of(reply.text)[-1] == DONE


async def test_a_reply_that_was_cut_is_not_a_good_end(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    """Scenario 28."""
    provider.say(["Once upon", ReplyCut("the reply ended half-way")])

    reply = await client.post("/chat/stream", json=asking())

    last = chunks_of(reply.text)[-1]
    assert (last["state"], last["choices"][0]["finish_reason"], last["error"]["code"]) == (
        "incomplete",
        "error",
        "reply_cut",
    )
    assert last["message_id"]


async def test_a_message_that_waits_for_a_turn_says_so_at_once(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    sung = asyncio.Event()
    provider.say(["La ", sung])
    async with reading(client, "/chat/stream", json=asking("Sing.")) as singing:
        ahead = json.loads((await anext(singing)).partition("data: ")[2])
        where = {"conversation_id": ahead["conversation_id"]}
        async with reading(client, "/chat/stream", json=asking("And?", **where)) as events:
            waiting = json.loads((await anext(events)).partition("data: ")[2])
            sung.set()
            rest = [event async for event in events]

    assert "turns_ahead" not in ahead
    assert (waiting["state"], waiting["turns_ahead"]) == ("queued", 1)
    assert rest[-1] == DONE


async def test_a_cancelled_turn_ends_its_stream(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say(["Once ", asyncio.Event()])
    async with reading(client, "/chat/stream", json=asking()) as events:
        started = json.loads((await anext(events)).partition("data: ")[2])
        await anext(events)
        await client.post(f"/turns/{started['turn_id']}/cancel")
        last, done = [event async for event in events]

    assert json.loads(last.partition("data: ")[2])["choices"][0]["finish_reason"] == "cancelled"
    assert done == DONE


async def test_fields_of_a_delta_are_passed_on(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say([Delta(fields={"reasoning": "hm"}), Delta("Yes", {"refusal": None}), Finished(finish_reason="stop")])

    chunks = chunks_of((await client.post("/chat/stream", json=asking())).text)

    assert [chunk["choices"][0]["delta"] for chunk in chunks[1:-1]] == [
        {"reasoning": "hm"},
        {"content": "Yes", "refusal": None},
    ]


async def test_chunks_name_the_model_that_answers(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say([Delta("Hi", model="other/model%d"), Delta("!"), Finished(finish_reason="stop")])

    chunks = chunks_of((await client.post("/chat/stream", json=asking())).text)

    assert [chunk["model"] for chunk in chunks] == ["scripted/model", *["other/model%d"] * 3]


class TestResume:
    """A turn read again, by others, from anywhere."""

    async def test_every_reader_gets_the_same_bytes(self, client: httpx.AsyncClient) -> None:
        first = await client.post("/chat/stream", json=asking("one two three"))
        turn_id = chunks_of(first.text)[0]["turn_id"]

        second = await client.get(f"/turns/{turn_id}/stream")

        assert second.content == first.content

    @pytest.mark.parametrize("how", ["header", "query"])
    async def test_what_was_missed_follows_what_was_read(
        self, client: httpx.AsyncClient, provider: ScriptedProvider, how: str
    ) -> None:
        """Scenario 9: from every place, the parts put together are the whole."""
        provider.say([Delta("a", model="m/2"), "b", "你", Finished(finish_reason="stop")])
        whole = events_of((await client.post("/chat/stream", json=asking())).text)
        turn_id = chunks_of(whole[0])[0]["turn_id"]

        for seq in range(len(whole) - 2):
            headers = {"Last-Event-ID": f"{turn_id}:{seq}"} if how == "header" else {}
            query = f"?after={seq}" if how == "query" else ""
            rest = await client.get(f"/turns/{turn_id}/stream{query}", headers=headers)
            assert whole[: seq + 1] + events_of(rest.text) == whole

    async def test_a_running_turn_can_be_joined(self, client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
        go_on = asyncio.Event()
        provider.say(["one ", go_on, "two"])
        async with reading(client, "/chat/stream", json=asking()) as events:
            started = await anext(events)
            turn_id = chunks_of(started)[0]["turn_id"]
            async with reading(client, f"/turns/{turn_id}/stream?after=0") as others:
                assert '"content":"one "' in await anext(others)
                go_on.set()
                rest = [event async for event in others]
        assert '"content":"two"' in rest[0]
        assert rest[-1] == DONE

    async def test_the_header_wins_over_the_address(self, client: httpx.AsyncClient) -> None:
        whole = events_of((await client.post("/chat/stream", json=asking())).text)
        turn_id = chunks_of(whole[0])[0]["turn_id"]

        rest = await client.get(f"/turns/{turn_id}/stream?after=0", headers={"Last-Event-ID": f"{turn_id}:1"})

        assert events_of(rest.text) == whole[2:]

    @pytest.mark.parametrize("after", [2, 3, 999_999])
    async def test_who_has_all_is_told_to_stop(self, client: httpx.AsyncClient, after: int) -> None:
        """204 ends an EventSource, which would otherwise come back for ever."""
        begun = chunks_of((await client.post("/chat/stream", json=asking())).text)

        reply = await client.get(f"/turns/{begun[0]['turn_id']}/stream?after={after}")

        assert (reply.status_code, reply.content) == (204, b"")

    async def test_an_event_that_is_not_there_yet_is_refused(
        self, client: httpx.AsyncClient, provider: ScriptedProvider
    ) -> None:
        provider.say([asyncio.Event()])
        async with reading(client, "/chat/stream", json=asking(on_disconnect="cancel")) as events:
            turn_id = chunks_of(await anext(events))[0]["turn_id"]

            reply = await client.get(f"/turns/{turn_id}/stream?after=7")

        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "malformed_request")

    @pytest.mark.parametrize("last", ["x", "{turn}:x", "{turn}:-2", "{turn}", "{turn}:1:1", ":1", "{other}:1"])
    async def test_a_malformed_last_event_id_is_refused(self, client: httpx.AsyncClient, last: str) -> None:
        turn_id = (await client.post("/chat", json=asking())).json()["turn_id"]
        headers = {"Last-Event-ID": last.format(turn=turn_id, other=uuid4())}

        reply = await client.get(f"/turns/{turn_id}/stream", headers=headers)

        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "Last-Event-ID")

    @pytest.mark.parametrize("after", ["x", "-2", "1.5", "9" * 40])
    async def test_a_malformed_after_is_refused(self, client: httpx.AsyncClient, after: str) -> None:
        turn_id = (await client.post("/chat", json=asking())).json()["turn_id"]

        reply = await client.get(f"/turns/{turn_id}/stream?after={after}")

        assert (reply.status_code, reply.json()["error"]["param"]) == (422, "after")

    async def test_a_key_sent_again_replays_the_stream(
        self, client: httpx.AsyncClient, provider: ScriptedProvider
    ) -> None:
        headers = {"Idempotency-Key": '"again"'}

        first = await client.post("/chat/stream", json=asking(), headers=headers)
        second = await client.post("/chat/stream", json=asking(), headers=headers)

        assert second.content == first.content
        assert len(provider.requests) == 1


class TestLeaving:
    """Readers who go away."""

    @pytest.mark.parametrize("deltas", [0, 1])
    async def test_a_reader_who_leaves_stops_a_turn_that_says_so(
        self, client: httpx.AsyncClient, provider: ScriptedProvider, deltas: int
    ) -> None:
        """Scenario 30: before the first token too."""
        provider.say(["word "] * deltas + [asyncio.Event()])
        async with reading(client, "/chat/stream", json=asking(on_disconnect="cancel")) as events:
            for _ in range(deltas + 1):
                await anext(events)

        async with asyncio.timeout(60):
            await provider.wait_for_replies(0)

    @pytest.mark.parametrize("read", range(4))
    async def test_a_reader_who_leaves_anywhere_finds_the_reply_whole(
        self, client: httpx.AsyncClient, provider: ScriptedProvider, read: int
    ) -> None:
        """Scenario 8."""
        go_on = asyncio.Event()
        provider.say(["one ", "two ", go_on, "three"])
        async with reading(client, "/chat/stream", json=asking()) as events:
            begun = chunks_of(await anext(events))[0]
            for _ in range(min(read, 2)):
                await anext(events)
        go_on.set()

        whole = await client.get(f"/turns/{begun['turn_id']}/stream")

        said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks_of(whole.text))
        assert said == "one two three"

    async def test_a_reader_who_does_not_read_holds_up_nobody(
        self, url: str, client: httpx.AsyncClient, provider: ScriptedProvider
    ) -> None:
        words = [f"{i} " * 50 for i in range(5000)]
        provider.say(words)
        conversation_id = str(uuid4())
        body = json.dumps(asking(conversation_id=conversation_id)).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=1000)
        writer.write(
            b"POST /chat/stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        await reader.readuntil(b"\r\n\r\n")

        # Begins when the first turn has ended, though nobody has read it.
        second = await client.post("/chat", json=asking("And?", conversation_id=conversation_id))

        assert second.status_code == 200
        assert (await reader.read(-1)).rstrip().endswith(b"data: [DONE]\n\n\r\n0")
        writer.close()

    async def test_a_client_who_leaves_in_the_middle_of_its_request_is_noted(
        self, url: str, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(
            b"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b'Content-Length: 100\r\n\r\n{"messages": ['
        )
        await writer.drain()
        writer.close()

        with caplog.at_level("INFO", logger="idolchat_api.access"):
            async with asyncio.timeout(60):
                while not any(vars(record).get("status") == 499 for record in caplog.records):
                    await client.get("/livez")


class TestHeartbeats:
    """A stream while the model is silent."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"heartbeat_s": 0.05})

    async def test_a_silent_stream_is_kept_awake(self, client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
        go_on = asyncio.Event()
        provider.say([go_on, "Hi"])
        text = ""
        async with client.stream("POST", "/chat/stream", json=asking()) as response, asyncio.timeout(60):
            async for piece in response.aiter_text():
                text += piece
                if text.count(": still here\n") == 3:
                    go_on.set()

        assert text.endswith(f"{DONE}\n\n")
        assert len(chunks_of(text)) == 3

    async def test_openais_client_reads_past_heartbeats(self, url: str, provider: ScriptedProvider) -> None:
        go_on = asyncio.Event()
        provider.say([go_on, "Hi"])
        asyncio.get_running_loop().call_later(0.2, go_on.set)

        async with _openai_client(url) as client:
            stream = await _streamed(client)
            chunks = [chunk async for chunk in stream]

        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi"


def _openai_client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0)


async def _streamed(client: openai.AsyncOpenAI) -> openai.AsyncStream[ChatCompletionChunk]:
    return await client.post(
        "/chat/stream",
        body=asking(),
        cast_to=ChatCompletionChunk,
        stream=True,
        stream_cls=openai.AsyncStream[ChatCompletionChunk],
    )


async def test_a_client_that_pauses_gets_every_event_once_and_in_order(
    client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    """More than the kernel takes: what is written at once, what waits and what is written at once again meet."""
    resumed = asyncio.Event()
    block = "x" * 20_000
    provider.say([*[Delta(f"{number} {block}") for number in range(600)], resumed, *[Delta("y")] * 50])
    text = ""
    async with client.stream("POST", "/chat/stream", json=asking()) as response:
        pieces = response.aiter_text()
        text += await anext(pieces)
        await asyncio.sleep(0.5)
        async for piece in pieces:
            text += piece
            if len(text) > 600 * len(block):
                resumed.set()

    seqs = [int(event.partition("\n")[0].rpartition(":")[2]) for event in events_of(text) if event.startswith("id")]
    assert seqs == list(range(652))
    said = [chunk["choices"][0]["delta"].get("content", "")[:5].split(" ")[0] for chunk in chunks_of(text)[1:-1]]
    assert said == [*map(str, range(600)), *["y"] * 50]


async def test_a_middleware_sees_every_piece_of_a_stream(
    settings: ApiSettings, plugins: Plugins, provider: ScriptedProvider
) -> None:
    app = create_app(settings=settings, plugins=plugins)
    app.add_middleware(Shouting)
    provider.say("I sang today.")
    async with serving_app(app, settings) as url, httpx.AsyncClient(base_url=url) as client:
        reply = await client.post("/chat/stream", json=asking())

    assert "TODAY." in reply.text
    assert reply.text == reply.text.upper()


class Shouting:
    """Changes the body of every reply."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def shout(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["body"] = message.get("body", b"").upper()
            await send(message)

        await self.app(scope, receive, shout)
