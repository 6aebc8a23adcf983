"""Who is at the other end of a socket, from its first frame to its last."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import batched, repeat
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from idolchat_api import ApiSettings
from idolchat_api.auth.api_key import KeyRing
from idolchat_api.connections.websocket_protocol import FIRST_MESSAGE_BYTES
from idolchat_api.testing import NewKey
from idolchat_core.models import utc_now
from idolchat_core.testing import InMemoryStorage, ScriptedProvider


@asynccontextmanager
async def opened(url: str, header: dict[str, str] | None = None) -> AsyncGenerator[ClientConnection]:
    async with connect(url.replace("http", "ws", 1) + "/ws/chat", additional_headers=header) as socket:
        yield socket


def token_of(header: dict[str, str]) -> str:
    return header["Authorization"].split()[1]


async def said(socket: ClientConnection, **frame: Any) -> dict[str, Any]:
    await socket.send(json.dumps(frame))
    answer: dict[str, Any] = json.loads(await socket.recv())
    return answer


async def closed_with(socket: ClientConnection) -> int:
    """Wait for the end, and give its code."""
    async with asyncio.timeout(60):
        await socket.wait_closed()
    assert socket.close_code is not None
    return socket.close_code


async def test_a_header_lets_a_socket_in(url: str, new_key: NewKey) -> None:
    async with opened(url, await new_key()) as socket:
        assert await said(socket, type="ping") == {"type": "pong"}


async def test_a_first_frame_lets_a_socket_in(url: str, new_key: NewKey) -> None:
    user = uuid4()
    async with opened(url) as socket:
        answer = await said(socket, type="auth", token=token_of(await new_key(user_id=user)))
        started = await said(socket, type="start_conversation")

    assert (answer["type"], answer["user_id"], started["user_id"]) == ("authenticated", str(user), str(user))


async def test_a_wrong_header_is_refused_before_there_is_a_socket(url: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(url, {"Authorization": "Bearer nonsense"}):
            pass

    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    "frame",
    [{"type": "ping"}, {"type": "message", "message": "Hi"}, {"type": "auth", "token": "wrong"}, {"type": "auth"}],
)
async def test_another_first_frame_closes_the_socket(url: str, frame: dict[str, str]) -> None:
    async with opened(url) as socket:
        answer = await said(socket, **frame)

        assert (answer["type"], answer["code"]) == ("error", "unauthenticated")
        assert await closed_with(socket) == 4401


async def test_a_socket_in_whose_name_nobody_may_chat_only_looks_on(url: str, new_key: NewKey) -> None:
    async with opened(url, await new_key("read")) as socket:
        assert (await said(socket, type="message", message="Hi"))["code"] == "forbidden"
        assert (await said(socket, type="ping"))["type"] == "pong"


class TestInTime:
    """Sockets that have little time."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"ws_auth_timeout_s": 0.2})

    async def test_silence_closes_the_socket(self, url: str) -> None:
        async with opened(url) as socket:
            assert await closed_with(socket) == 4401

    async def test_who_was_let_in_may_be_silent(self, url: str, new_key: NewKey) -> None:
        async with opened(url, await new_key(expires_at=utc_now() + timedelta(seconds=3))) as socket:
            assert await closed_with(socket) == 4401  # by the end of the token, not before


async def test_a_socket_ends_with_its_token(url: str, new_key: NewKey) -> None:
    async with opened(url, await new_key(expires_at=utc_now() + timedelta(seconds=3))) as socket:
        assert (await said(socket, type="ping"))["type"] == "pong"

        assert await closed_with(socket) == 4401


async def test_a_fresh_token_of_the_same_caller_prolongs_a_socket(
    url: str, new_key: NewKey, storage: InMemoryStorage
) -> None:
    header = await new_key(expires_at=utc_now() + timedelta(seconds=30))
    async with opened(url, header) as socket:
        before = await said(socket, type="auth", token=token_of(header))
        kept = await KeyRing(storage).find(token_of(header).split("_")[1])
        assert kept is not None
        await KeyRing(storage).add(kept.model_copy(update={"expires_at": utc_now() + timedelta(hours=1)}))
        async with asyncio.timeout(60):
            while (after := await said(socket, type="auth", token=token_of(header))) == before:
                pass

    assert after["expires_at"] > before["expires_at"]


@pytest.mark.parametrize("piece_bytes", [FIRST_MESSAGE_BYTES + 1, 9_000, 1_000])
@pytest.mark.parametrize(("more", "code"), [(0, 4401), (1, 1009)])
async def test_a_first_message_is_as_long_as_a_token_wants(url: str, more: int, code: int, piece_bytes: int) -> None:
    frame = '{"type": "auth", "token": "%s"}'
    text = frame % ("y" * (FIRST_MESSAGE_BYTES + more - len(frame) + 2))
    async with opened(url) as socket:
        await socket.send("".join(piece) for piece in batched(text, piece_bytes))

        assert await closed_with(socket) == code


async def test_a_first_message_without_an_end_closes_the_socket(url: str) -> None:
    async with opened(url) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.send(repeat("y" * (FIRST_MESSAGE_BYTES // 2)))

        assert await closed_with(socket) == 1009


async def test_a_frame_after_the_first_is_as_long_as_any(url: str, new_key: NewKey) -> None:
    async with opened(url) as socket:
        await said(socket, type="auth", token=token_of(await new_key()))

        assert (await said(socket, type="ping", more="y" * 2 * FIRST_MESSAGE_BYTES))["type"] == "pong"


async def test_who_does_not_read_keeps_nobody_inside(url: str, new_key: NewKey, provider: ScriptedProvider) -> None:
    go_on = asyncio.Event()
    provider.say([go_on, "y" * 20_000_000])
    first, second = [await new_key(expires_at=utc_now() + timedelta(seconds=seconds)) for seconds in (1, 3)]
    async with opened(url, first) as deaf, opened(url, second) as socket:
        await said(deaf, type="message", message="Hi")
        deaf.transport.pause_reading()
        go_on.set()

        assert await closed_with(socket) == 4401
        deaf.transport.abort()


class TestFew:
    """A server that takes three requests or frames of a user, and no more soon."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"user_requests_per_minute": 3})

    @pytest.mark.parametrize("frame", ['{"type": "ping"}', "{", '{"type": "?"}'])
    async def test_frames_count_as_requests_do_and_so_does_what_is_no_frame(
        self, url: str, new_key: NewKey, frame: str
    ) -> None:
        async with opened(url, await new_key(user_id=uuid4())) as socket:  # the first request
            told = []
            for _ in range(3):
                await socket.send(frame)
                told.append(json.loads(await socket.recv()).get("code"))

        assert told[0] == told[1] != told[2] == "rate_limit_exceeded"


async def test_a_socket_does_not_change_hands(url: str, new_key: NewKey) -> None:
    async with opened(url, await new_key(user_id=uuid4())) as socket:
        answer = await said(socket, type="auth", token=token_of(await new_key(user_id=uuid4())))

        assert (answer["code"], answer["param"]) == ("forbidden", "token")
        assert (await said(socket, type="ping"))["type"] == "pong"


async def test_revoking_a_key_closes_its_sockets(url: str, new_key: NewKey, storage: InMemoryStorage) -> None:
    header = await new_key()
    async with opened(url, header) as socket, opened(url, await new_key()) as another:
        kept = await KeyRing(storage).find(token_of(header).split("_")[1])
        assert kept is not None

        await KeyRing(storage).revoke(kept, utc_now())

        assert await closed_with(socket) == 4401
        assert (await said(another, type="ping"))["type"] == "pong"
