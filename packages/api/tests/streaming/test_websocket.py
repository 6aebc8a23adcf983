"""Conversations over one socket, with a real client."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import TypeAdapter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from idolchat_api import ApiSettings
from idolchat_api.streaming.event_models import ServerFrame
from idolchat_api.streaming.subscriptions import MAX_TASKS
from idolchat_core import Delta, Finished
from idolchat_core.errors import RateLimited, ReplyCut
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

SERVER_FRAME: TypeAdapter[ServerFrame] = TypeAdapter(ServerFrame)
UNKNOWN = "00000000-0000-4000-8000-000000000000"


class Talk:
    """A socket, spoken to in frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}, ensure_ascii=False))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(60):
            text = await self.socket.recv()
        SERVER_FRAME.validate_json(text)  # as the AsyncAPI document says
        frame: dict[str, Any] = json.loads(text)
        return frame

    async def hear_to(self, *ends: str) -> list[dict[str, Any]]:
        heard = [await self.hear()]
        while heard[-1]["type"] not in ends:
            heard.append(await self.hear())
        return heard


@asynccontextmanager
async def talking(url: str, **options: Any) -> AsyncGenerator[Talk]:
    async with connect(url.replace("http", "ws", 1) + "/ws/chat", max_size=None, **options) as socket:
        yield Talk(socket)


@pytest.fixture
async def talk(url: str) -> AsyncGenerator[Talk]:
    async with talking(url) as talk:
        yield talk


async def test_a_message_is_answered_by_start_deltas_and_the_message(talk: Talk, provider: ScriptedProvider) -> None:
    provider.say("I sang.")

    await talk.say("message", message="Hello!")

    started, *deltas, ended = await talk.hear_to("message")
    assert started["type"] == "turn_started"
    assert [(delta["type"], delta["seq"], delta["content"]) for delta in deltas] == [
        ("delta", 1, "I "),
        ("delta", 2, "sang."),
    ]
    assert (ended["seq"], ended["message"]["content"], ended["message"]["finish_reason"]) == (3, "I sang.", "stop")
    assert {frame["turn_id"] for frame in (started, *deltas, ended)} == {started["turn_id"]}
    assert ended["conversation_id"] == started["conversation_id"]
    assert ended["usage"]["output_tokens"] == 2


async def test_a_message_that_waits_for_a_turn_says_so_at_once(talk: Talk, provider: ScriptedProvider) -> None:
    sung = asyncio.Event()
    provider.say(["La ", sung])
    await talk.say("message", message="Sing.")
    ahead = (await talk.hear_to("delta"))[0]
    await talk.say("message", message="And?", conversation_id=ahead["conversation_id"])

    waiting = await talk.hear()
    sung.set()

    assert (waiting["type"], waiting["state"], waiting["turns_ahead"]) == ("turn_started", "queued", 1)


async def test_half_a_surrogate_pair_is_mended(talk: Talk, storage: InMemoryStorage) -> None:
    await talk.socket.send('{"type": "message", "message": "Hi \\ud83d"}')
    ended = (await talk.hear_to("message", "error"))[-1]

    stored = await storage.read(UUID(ended["conversation_id"]))
    assert stored.messages[0].content == "Hi \ufffd"


async def test_null_is_as_absent(talk: Talk) -> None:
    names = ("token", "conversation_id", "after_seq", "model", "on_busy", "on_disconnect", "options", "user_id")
    await talk.say("message", message="Hi", **dict.fromkeys(names))

    assert (await talk.hear_to("message", "error"))[-1]["type"] == "message"


async def test_the_reply_is_stored_before_its_message(talk: Talk, storage: InMemoryStorage) -> None:
    await talk.say("message", message="Hello!")

    ended = (await talk.hear_to("message"))[-1]

    stored = await storage.read(UUID(ended["conversation_id"]))
    assert str(stored.messages[-1].id) == ended["message"]["id"]


async def test_a_conversation_can_be_started_first(talk: Talk, storage: InMemoryStorage) -> None:
    user_id, character_id = str(uuid4()), str(uuid4())
    await talk.say("start_conversation", user_id=user_id, character_id=character_id)
    started = await talk.hear()
    await talk.say("message", message="Hi")

    ended = (await talk.hear_to("message"))[-1]

    assert started == {
        "type": "conversation_started",
        "conversation_id": ended["conversation_id"],
        "user_id": user_id,
        "character_id": character_id,
    }
    stored = await storage.read(UUID(ended["conversation_id"]))
    assert (str(stored.user_id), str(stored.character_id)) == (user_id, character_id)


async def test_messages_without_a_conversation_go_on_with_the_one_begun(talk: Talk, provider: ScriptedProvider) -> None:
    for text in ("One", "Two"):
        await talk.say("message", message=text)
        await talk.hear_to("message")

    assert [message["content"] for message in provider.requests[1].messages] == ["One", "One", "Two"]


async def test_a_conversation_is_continued_on_another_socket(url: str, provider: ScriptedProvider) -> None:
    user_id = str(uuid4())
    async with talking(url) as first:
        await first.say("message", message="One", user_id=user_id)
        conversation_id = (await first.hear_to("message"))[-1]["conversation_id"]
    async with talking(url) as second:
        await second.say("start_conversation", conversation_id=conversation_id)
        started = await second.hear()
        await second.say("message", message="Two")
        await second.hear_to("message")

    assert (started["conversation_id"], started["user_id"]) == (conversation_id, user_id)
    assert len(provider.requests[1].messages) == 3


async def test_another_users_conversation_is_not_continued(url: str, talk: Talk) -> None:
    await talk.say("message", message="One", user_id=str(uuid4()))
    conversation_id = (await talk.hear_to("message"))[-1]["conversation_id"]

    await talk.say("start_conversation", conversation_id=conversation_id, user_id=str(uuid4()))

    assert (await talk.hear())["code"] == "conversation_mismatch"


async def test_several_conversations_share_a_socket(talk: Talk, provider: ScriptedProvider) -> None:
    go_on = asyncio.Event()
    provider.say([go_on, "slow"], "fast")
    slow, fast = str(uuid4()), str(uuid4())

    await talk.say("message", message="a", conversation_id=slow)
    await talk.hear_to("turn_started")
    await talk.say("message", message="b", conversation_id=fast)
    first = (await talk.hear_to("message"))[-1]
    go_on.set()
    second = (await talk.hear_to("message"))[-1]

    assert (first["conversation_id"], second["conversation_id"]) == (fast, slow)


async def test_messages_of_a_conversation_are_answered_in_their_order(talk: Talk, provider: ScriptedProvider) -> None:
    provider.say("1", "2", "3")
    for text in ("a", "b", "c"):
        await talk.say("message", message=text)

    said = [(await talk.hear_to("message"))[-1]["message"]["content"] for _ in range(3)]

    assert said == ["1", "2", "3"]
    assert [m["content"] for m in provider.requests[2].messages] == ["a", "1", "b", "2", "c"]


async def test_a_reply_is_continued_over_the_socket(talk: Talk, provider: ScriptedProvider) -> None:
    provider.say("Once", " upon")
    await talk.say("message", message="A story!")
    first = (await talk.hear_to("message"))[-1]
    await talk.say("continue", message_id=first["message"]["id"], options={"max_tokens": 5}, client_message_id="c1")
    started, *deltas, ended = await talk.hear_to("message")

    assert (started["type"], started["client_message_id"]) == ("turn_started", "c1")
    assert "".join(delta["content"] for delta in deltas) == " upon"
    assert (ended["message"]["content"], ended["message"]["continues"]) == ("Once upon", first["message"]["id"])
    assert provider.requests[1].options == {"max_tokens": 5}


async def test_a_ping_is_answered_while_a_turn_runs(talk: Talk, provider: ScriptedProvider) -> None:
    provider.say([asyncio.Event()])
    await talk.say("message", message="Hi", on_disconnect="cancel")
    await talk.hear_to("turn_started")

    await talk.say("ping")

    assert await talk.hear() == {"type": "pong"}


async def test_cancelling_keeps_what_was_said(talk: Talk, provider: ScriptedProvider) -> None:
    provider.say(["Once ", asyncio.Event()], "Yes?")
    await talk.say("message", message="Tell me")
    turn_id = (await talk.hear_to("delta"))[0]["turn_id"]

    await talk.say("cancel", turn_id=turn_id)
    ended = await talk.hear()
    await talk.say("message", message="Stop")
    await talk.hear_to("message")

    assert (ended["type"], ended["turn_id"], ended["message"]["content"]) == ("cancelled", turn_id, "Once ")
    assert [message["content"] for message in provider.requests[1].messages] == ["Tell me", "Once ", "Stop"]


async def test_cancelling_without_an_id_stops_the_newest_turn(talk: Talk, provider: ScriptedProvider) -> None:
    provider.say([asyncio.Event()])
    await talk.say("message", message="Hi")
    turn_id = (await talk.hear())["turn_id"]

    await talk.say("cancel")

    assert (await talk.hear_to("cancelled"))[-1]["turn_id"] == turn_id


async def test_a_turn_of_another_socket_can_be_cancelled(url: str, talk: Talk, provider: ScriptedProvider) -> None:
    provider.say([asyncio.Event()])
    await talk.say("message", message="Hi")
    turn_id = (await talk.hear())["turn_id"]
    async with talking(url) as other:
        await other.say("cancel", turn_id=turn_id)
        assert (await other.hear())["type"] == "cancelled"

    assert (await talk.hear())["type"] == "cancelled"


async def test_a_turn_that_is_over_cannot_be_cancelled(talk: Talk) -> None:
    await talk.say("message", message="Hi")
    turn_id = (await talk.hear_to("message"))[-1]["turn_id"]

    await talk.say("cancel", turn_id=turn_id)

    refused = await talk.hear()
    assert (refused["type"], refused["code"], refused["turn_id"]) == ("error", "turn_over", turn_id)


async def test_the_same_client_message_id_is_one_turn(url: str, provider: ScriptedProvider) -> None:
    """Scenario 18, over a socket that broke."""
    async with talking(url) as first:
        await first.say("message", message="Hi", client_message_id="m-1")
        begun = await first.hear_to("message")
    async with talking(url) as second:
        await second.say("message", message="Hi", client_message_id="m-1")
        again = await second.hear_to("message")

    assert again == begun
    assert begun[0]["client_message_id"] == "m-1"
    assert len(provider.requests) == 1


async def test_a_client_message_id_used_for_something_else_is_refused(talk: Talk) -> None:
    await talk.say("message", message="One", client_message_id="m-1")
    await talk.hear_to("message")

    await talk.say("message", message="Two", client_message_id="m-1")

    refused = await talk.hear()
    assert (refused["code"], refused["client_message_id"]) == ("idempotency_key_reused", "m-1")


async def test_a_turn_is_resumed_from_every_event_on(url: str, talk: Talk, provider: ScriptedProvider) -> None:
    """Scenario 9, over WebSocket."""
    provider.say(["a", "你", "c"])
    await talk.say("message", message="Hi")
    whole = await talk.hear_to("message")

    for seq in range(-1, len(whole) - 1):
        async with talking(url) as other:
            await other.say("resume", turn_id=whole[0]["turn_id"], after_seq=seq)
            assert whole[: seq + 1] + await other.hear_to("message") == whole


@pytest.mark.parametrize("after_seq", [2, 3, 1000])
async def test_who_missed_nothing_is_told_the_end_again(talk: Talk, after_seq: int) -> None:
    """Scenario 10: nobody waits for an end that has been."""
    await talk.say("message", message="Hi")
    ended = (await talk.hear_to("message"))[-1]

    await talk.say("resume", turn_id=ended["turn_id"], after_seq=after_seq)

    assert await talk.hear() == ended


async def test_sse_and_websocket_tell_the_same_events_by_the_same_seq(client: httpx.AsyncClient, talk: Talk) -> None:
    await talk.say("message", message="one two three")
    frames = await talk.hear_to("message")

    stream = (await client.get(f"/turns/{frames[0]['turn_id']}/stream")).text

    seqs = [int(line.rpartition(":")[2]) for line in stream.splitlines() if line.startswith("id:")]
    assert seqs == [frame["seq"] for frame in frames]
    for frame in frames[1:-1]:
        assert f'"content":"{frame["content"]}"' in stream


async def test_a_failed_turn_ends_with_an_error(talk: Talk, provider: ScriptedProvider) -> None:
    provider.say([RateLimited("slower", retry_after_s=3)])
    await talk.say("message", message="Hi")

    started, ended = await talk.hear_to("error")

    assert ended["turn_id"] == started["turn_id"]
    assert (ended["code"], ended["message"], ended["retry_after_s"], ended["state"]) == (
        "rate_limited",
        "slower",
        3,
        "failed",
    )


async def test_a_reply_that_was_cut_ends_with_an_error(talk: Talk, provider: ScriptedProvider) -> None:
    """Scenario 28, over WebSocket."""
    provider.say(["Once", ReplyCut("cut")])
    await talk.say("message", message="Hi")

    ended = (await talk.hear_to("error", "message"))[-1]

    assert (ended["type"], ended["code"], ended["state"]) == ("error", "reply_cut", "incomplete")


async def test_fields_and_options_pass_through(talk: Talk, provider: ScriptedProvider) -> None:
    provider.say([Delta("", {"reasoning": "hm"}), Delta("Yes"), Finished(finish_reason="stop")])

    await talk.say("message", message=[{"type": "text", "text": "Hi"}], options={"temperature": 0.1}, colour="red")

    frames = await talk.hear_to("message")
    assert frames[1]["fields"] == {"reasoning": "hm"}
    assert provider.requests[0].options == {"temperature": 0.1}


@pytest.mark.parametrize("text", ["你好🌸", "line\u2028\u0085next", '"\\\x00'])
async def test_any_text_survives(talk: Talk, text: str) -> None:
    """Scenario 35, over WebSocket."""
    await talk.say("message", message=text)

    frames = await talk.hear_to("message")

    assert "".join(frame["content"] for frame in frames[1:-1]) == text


@pytest.mark.parametrize(
    ("frame", "code", "param"),
    [
        ("{", "malformed_request", None),
        ("", "malformed_request", None),
        ("[]", "invalid_request", None),
        ('"message"', "invalid_request", None),
        ("{}", "invalid_request", "type"),
        ('{"type": 5}', "invalid_request", "type"),
        ('{"type": "shout"}', "invalid_request", "type"),
        ('{"type": "message"}', "invalid_request", "message"),
        ('{"type": "message", "message": ""}', "invalid_request", "message"),
        ('{"type": "message", "message": []}', "invalid_request", "message"),
        ('{"type": "message", "message": 5}', "invalid_request", "message"),
        ('{"type": "message", "message": "x", "user_id": "me"}', "invalid_request", "user_id"),
        ('{"type": "message", "message": "x", "conversation_id": 1}', "invalid_request", "conversation_id"),
        ('{"type": "message", "message": "x", "client_message_id": ""}', "invalid_request", "client_message_id"),
        ('{"type": "message", "message": "x", "model": ""}', "invalid_request", "model"),
        ('{"type": "message", "message": "x", "on_busy": "push"}', "invalid_request", "on_busy"),
        ('{"type": "message", "message": "x", "options": {"api_key": "k"}}', "invalid_request", "options"),
        ('{"type": "message", "message": "x", "options": {"messages": []}}', None, None),
        ('{"type": "message", "message": [{}]}', "invalid_request", "message"),
        ('{"type": "resume"}', "invalid_request", "turn_id"),
        ('{"type": "resume", "turn_id": "x"}', "invalid_request", "turn_id"),
        (f'{{"type": "resume", "turn_id": "{UNKNOWN}"}}', "turn_not_found", None),
        (
            f'{{"type": "resume", "turn_id": "{UNKNOWN}", "after_seq": -2}}',
            "invalid_request",
            "after_seq",
        ),
        ('{"type": "cancel"}', "invalid_request", "turn_id"),
        (f'{{"type": "cancel", "turn_id": "{UNKNOWN}"}}', "turn_not_found", None),
        ('{"type": "start_conversation", "conversation_id": "x"}', "invalid_request", "conversation_id"),
        ('{"type": "continue"}', "invalid_request", "conversation_id"),
        (f'{{"type": "continue", "conversation_id": "{UNKNOWN}"}}', "invalid_request", "message_id"),
        (
            f'{{"type": "continue", "conversation_id": "{UNKNOWN}", "message_id": "x"}}',
            "conversation_not_found",
            None,
        ),
        (b'{"type": "ping"}', "unsupported_media_type", None),
        (b"\xff\x00", "unsupported_media_type", None),
    ],
)
async def test_a_bad_frame_is_told_and_the_socket_stays(
    talk: Talk, frame: str | bytes, code: str | None, param: str | None
) -> None:
    await talk.socket.send(frame)

    if code is not None:
        refused = await talk.hear()
        assert (refused["type"], refused["code"], refused.get("param")) == ("error", code, param)
    await talk.say("message", message="Still there?")
    assert (await talk.hear_to("message"))[-1]["message"]["finish_reason"] == "stop"


def ping_of(size_bytes: int, character: str = "y") -> str:
    """Write a frame of so many bytes."""
    frame = '{"type": "ping", "more": "%s"}'
    count, rest = divmod(size_bytes - len(frame) + 2, len(character.encode()))
    return frame % (character * count + "y" * rest)


async def test_a_socket_follows_so_many_turns_and_not_one_more(talk: Talk, provider: ScriptedProvider) -> None:
    over = asyncio.Event()
    pieces: list[str | Delta | Finished | Exception | asyncio.Event] = [over, "y"]
    provider.say(*[pieces] * (MAX_TASKS + 1))
    for _ in range(MAX_TASKS + 1):
        await talk.say("message", message="Hi", conversation_id=str(uuid4()))
    told = [await talk.hear() for _ in range(MAX_TASKS + 1)]
    over.set()

    assert [frame["type"] for frame in told].count("turn_started") == MAX_TASKS
    assert [frame["code"] for frame in told if frame["type"] == "error"] == ["queue_full"]


@pytest.mark.parametrize(("length", "answer"), [(255, "turn_started"), (256, "error")])
async def test_a_client_message_id_has_so_many_characters(talk: Talk, length: int, answer: str) -> None:
    await talk.say("message", message="Hi", client_message_id="k" * length)

    assert (await talk.hear())["type"] == answer


class TestSmallFrames:
    """A server that takes small frames only."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"max_ws_message_bytes": 1024})

    @pytest.mark.parametrize("frame", [ping_of(1024), ping_of(1024, "你")])
    async def test_a_frame_may_be_as_large_as_the_limit(self, talk: Talk, frame: str) -> None:
        await talk.socket.send(frame)

        assert await talk.hear() == {"type": "pong"}

    @pytest.mark.parametrize("frame", [ping_of(1025), ping_of(1025, "你"), ping_of(2048)])
    async def test_a_frame_that_is_too_large_is_told_and_the_socket_stays(self, talk: Talk, frame: str) -> None:
        await talk.socket.send(frame)

        refused = await talk.hear()
        await talk.say("ping")
        assert (refused["type"], refused["code"]) == ("error", "body_too_large")
        assert await talk.hear() == {"type": "pong"}

    async def test_a_frame_of_more_than_twice_the_limit_closes_the_socket(self, talk: Talk) -> None:
        await talk.socket.send(ping_of(2049))

        with pytest.raises(ConnectionClosed) as closed:
            await talk.hear()

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


class TestHeartbeats:
    """A socket on which nobody says anything."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"heartbeat_s": 0.05})

    async def test_a_silent_socket_is_pinged(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"GET /ws/chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )

        async with asyncio.timeout(60):
            head = await reader.readuntil(b"\r\n\r\n")
            frame = await reader.readexactly(2)

        writer.close()
        assert head.startswith(b"HTTP/1.1 101")
        assert frame[0] == 0x89  # RFC 6455, section 5.2: the last frame of a ping


async def test_a_socket_that_closes_stops_a_turn_that_says_so(url: str, provider: ScriptedProvider) -> None:
    """Scenario 30, over WebSocket."""
    provider.say([asyncio.Event()])
    async with talking(url) as talk:
        await talk.say("message", message="Hi", on_disconnect="cancel")
        await provider.wait_for_replies(1)

    async with asyncio.timeout(60):
        await provider.wait_for_replies(0)


async def test_a_turn_goes_on_when_its_socket_closes(
    url: str, client: httpx.AsyncClient, provider: ScriptedProvider
) -> None:
    """Scenarios 8 and 10: who comes back on another transport finds all of it."""
    go_on = asyncio.Event()
    provider.say(["one ", go_on, "two"])
    async with talking(url) as talk:
        await talk.say("message", message="Hi")
        turn_id = (await talk.hear_to("delta"))[0]["turn_id"]
    go_on.set()

    stream = await client.get(f"/turns/{turn_id}/stream?after=1")

    assert '"content":"two"' in stream.text


async def test_a_resume_in_place_of_a_reader_does_not_end_the_turn(talk: Talk, provider: ScriptedProvider) -> None:
    go_on = asyncio.Event()
    provider.say(["one ", go_on, "two"])
    await talk.say("message", message="Hi", on_disconnect="cancel")
    turn_id = (await talk.hear_to("delta"))[0]["turn_id"]

    await talk.say("resume", turn_id=turn_id, after_seq=0)
    await talk.hear_to("delta")
    go_on.set()

    assert (await talk.hear_to("message", "cancelled"))[-1]["type"] == "message"


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://127.0.0.1:1"])
async def test_a_page_of_another_origin_gets_no_socket(url: str, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with talking(url, additional_headers={"Origin": origin}):
            pass

    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "origin_not_allowed"


async def test_text_that_is_not_utf_8_closes_the_socket_and_is_no_error_in_the_log(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(f"ws{url.removeprefix('http')}/ws/chat") as socket:
        await socket.send([b'{"type": "\xc3', b'\xa9\xff"}'], text=True)

        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1007, "a text message is UTF-8")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_refused_socket_is_no_error_in_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InvalidStatus):
        async with talking(url, additional_headers={"Origin": "https://elsewhere.example"}):
            pass
    async with talking(url) as talk:
        await talk.say("ping")
        await talk.hear()

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_page_of_the_servers_own_gets_a_socket(url: str) -> None:
    async with talking(url, additional_headers={"Origin": url}) as talk:
        await talk.say("ping")
        assert await talk.hear() == {"type": "pong"}


async def test_a_client_that_pauses_gets_every_frame_once_and_in_order(url: str, provider: ScriptedProvider) -> None:
    """Of every length that a frame can have; more than the kernel takes, so that some have to wait."""
    sizes = [1, 200, 70_000]
    provider.say([Delta(f"{number} " + "x" * sizes[number % 3]) for number in range(600)])
    async with talking(url, max_queue=1) as talk:
        await talk.say("message", message="Hi")
        await talk.hear()
        await asyncio.sleep(0.5)
        frames = await talk.hear_to("message")

    assert [frame["seq"] for frame in frames] == list(range(1, 602))
    assert [int(frame["content"].split(" ")[0]) for frame in frames[:-1]] == list(range(600))
