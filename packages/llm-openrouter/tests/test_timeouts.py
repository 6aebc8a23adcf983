"""Whoever stops reading stops the server, in every phase (scenario 30), and what a server floods us with stays out."""

import asyncio
import gc
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing, suppress
from typing import Any
from urllib.request import urlopen

import pytest
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_openrouter.script import text_of

from idolchat_core import Delta, ProviderError, ProviderTimeout, ProviderUnavailable
from idolchat_core.testing import asking, collect
from idolchat_llm_openrouter.chunk_decoder import ChunkDecoder
from idolchat_llm_openrouter.completion_stream import StreamedCompletion
from idolchat_llm_openrouter.provider import OpenRouterProvider
from idolchat_llm_openrouter.timeouts import AttemptTimer

type Open = Callable[..., Any]
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("phase", "stream"),
    [("hang", True), ("hang", False), ("mute", True), ("mute", False), ("heartbeat", True), ("stall", True)],
)
async def test_cancelling_closes_the_connection_at_once(
    provider: OpenRouterProvider, mock_openrouter: Mock, phase: str, stream: bool
) -> None:
    task = asyncio.create_task(collect(provider, asking("Hi!", model=f"mock/n8-s60-x{phase}", stream=stream)))
    await mock_openrouter.wait(open=1)
    async with asyncio.timeout(45):
        task.cancel()
        await mock_openrouter.wait(open=0)

    with pytest.raises(asyncio.CancelledError):
        await task
    assert mock_openrouter.stats()["aborted"] == 1


async def test_closing_at_any_delta_closes_the_connection(provider: OpenRouterProvider, mock_openrouter: Mock) -> None:
    for count in range(1, 8):
        async with aclosing(provider.stream(asking("Hi!", model="mock/n8-d5-s60-xlinger"))) as reply:
            for _ in range(count):
                assert isinstance(await anext(reply), Delta)
        async with asyncio.timeout(45):
            await mock_openrouter.wait(open=0)

    assert mock_openrouter.stats()["aborted"] == 7


async def test_a_page_that_comes_instead_of_a_reply_is_left_at_once(
    provider: OpenRouterProvider, mock_openrouter: Mock
) -> None:
    with pytest.raises(ProviderUnavailable, match="text/html"):
        await collect(provider, asking("Hi!", model="mock/xwall"))
    async with asyncio.timeout(45):
        await mock_openrouter.wait(open=0)


@pytest.mark.parametrize("model", ["mock/xhang", "mock/xmute", "mock/xheartbeat"])
async def test_a_reply_that_does_not_begin_times_out(open_provider: Open, mock_openrouter: Mock, model: str) -> None:
    """Heartbeats say that the connection lives; they do not make a reply."""
    async with open_provider(first_token_timeout_s=2) as provider:
        with pytest.raises(ProviderTimeout, match="IDOLCHAT_OPENROUTER_FIRST_TOKEN_TIMEOUT_S"):
            await collect(provider, asking("Hi!", model=model))
        await mock_openrouter.wait(open=0)

    assert mock_openrouter.stats()["requests"] == 1


async def test_a_reply_that_falls_silent_times_out_after_what_was_said(
    open_provider: Open, mock_openrouter: Mock
) -> None:
    said = ""
    async with open_provider(token_timeout_s=2) as provider:
        reply = provider.stream(asking("Hi!", model="mock/n8-s60-xstall"))
        with pytest.raises(ProviderTimeout, match="IDOLCHAT_OPENROUTER_TOKEN_TIMEOUT_S"):  # noqa: PT012
            async for piece in reply:
                assert isinstance(piece, Delta)
                said += piece.content
        await mock_openrouter.wait(open=0)

    assert said == text_of(4)


async def test_a_slow_reply_is_not_a_silent_one(open_provider: Open) -> None:
    async with open_provider(token_timeout_s=2, first_token_timeout_s=2) as provider:
        pieces = await collect(provider, asking("Hi!", model="mock/n50-d50"))

    assert len(pieces) == 51


async def test_a_slow_reader_is_not_held_against_the_server(open_provider: Open) -> None:
    async with (
        open_provider(token_timeout_s=2) as provider,
        aclosing(provider.stream(asking("Hi!", model="mock/n4-d5"))) as reply,
    ):
        first = await anext(reply)
        busy = asyncio.Event()
        asyncio.get_running_loop().call_later(3, busy.set)
        await busy.wait()
        rest = [piece async for piece in reply]

    assert isinstance(first, Delta)
    assert len(rest) == 4


async def test_what_waits_in_the_socket_is_read_before_time_is_judged(open_provider: Open) -> None:
    """The whole process may be stopped for a while, and the server goes on."""
    async with (
        open_provider(token_timeout_s=2) as provider,
        aclosing(provider.stream(asking("Hi!", model="mock/n50-d80"))) as reply,
    ):
        await anext(reply)
        asyncio.get_running_loop().call_later(0.05, time.sleep, 3)
        rest = [piece async for piece in reply]

    assert len(rest) == 50


@pytest.mark.parametrize(("model", "stream"), [("mock/n1000-d10", True), ("mock/xhang", False)])
async def test_a_reply_that_takes_too_long_as_a_whole_times_out(open_provider: Open, model: str, stream: bool) -> None:
    async with open_provider(reply_timeout_s=0.3) as provider:
        with pytest.raises(ProviderTimeout, match="IDOLCHAT_OPENROUTER_REPLY_TIMEOUT_S"):
            await collect(provider, asking("Hi!", model=model, stream=stream))


@pytest.fixture
def full_server() -> Iterator[int]:
    """Listen on a port whose queue of connections is full, so that the next one gets no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as waiting:
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


async def test_a_server_that_does_not_accept_times_out(open_provider: Open, full_server: int) -> None:
    url = f"http://127.0.0.1:{full_server}/v1"
    async with open_provider(base_url=url, connect_timeout_s=0.2, retries=0) as provider:
        with pytest.raises(ProviderUnavailable, match=r"no connection within 0\.2 s"):
            await collect(provider, asking("Hi!"))


@pytest.mark.parametrize(
    ("fault", "stream"),
    [
        ("flood", True),
        ("floodcomments", True),
        ("floodlines", True),
        ("flooderror", True),
        ("flood", False),
        ("flooderror", False),
    ],
)
async def test_a_flood_is_left_alone_with_little_memory(
    open_provider: Open, mock_openrouter: Mock, fault: str, stream: bool
) -> None:
    """A hundred megabytes without an end cost no more than the limit that is set."""
    async with open_provider(max_reply_bytes=3 * MEGABYTE, retries=0) as provider:
        gc.collect()
        tracemalloc.start()
        try:
            with pytest.raises(ProviderError):  # noqa: PT012
                async with aclosing(provider.stream(asking("Hi!", model=f"mock/x{fault}", stream=stream))) as reply:
                    async for _ in reply:
                        pass
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await mock_openrouter.wait(open=0)

    assert peak < 16 * MEGABYTE
    assert mock_openrouter.stats()["bytes_out"] < 30 * MEGABYTE


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reply_has_so_many_bytes_and_not_one_more(
    open_provider: Open, mock_openrouter: Mock, stream: bool
) -> None:
    request = asking("Hi!", model="mock/n4", stream=stream)
    async with open_provider(retries=0) as provider:
        await collect(provider, request)
    asked = mock_openrouter.requests(1)[0]
    with urlopen(f"{mock_openrouter.base_url}/chat/completions", asked["body"].encode()) as answer:  # noqa: ASYNC210, S310  # the mock is a process of its own
        sent = len(answer.read())
    async with open_provider(max_reply_bytes=sent, retries=0) as provider:
        await collect(provider, request)
    async with open_provider(max_reply_bytes=sent - 1, retries=0) as provider:
        with pytest.raises(ProviderError, match=f"more than {sent - 1} bytes"):
            await collect(provider, request)


async def test_nothing_is_left_of_replies_that_are_over(provider: OpenRouterProvider) -> None:
    """Scenario 33: no timer keeps a reply alive until its limit passes."""
    for model in ("mock/n4", "mock/n4-xcut", "mock/n4-xerr", "mock/xerrfirst", "mock/x502"):
        with suppress(ProviderError):
            await collect(provider, asking("Hi!", model=model))
    async with aclosing(provider.stream(asking("Hi!", model="mock/n9-d50"))) as reply:
        await anext(reply)
    gc.collect()

    assert [
        thing for thing in gc.get_objects() if type(thing) in (AttemptTimer, StreamedCompletion, ChunkDecoder)
    ] == []
