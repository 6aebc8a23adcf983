import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_openrouter.script import text_of

from idolchat_core import Delta, Finished, ProviderError, ProviderUnavailable, RateLimited
from idolchat_core.testing import asking, collect
from idolchat_llm_openrouter.errors import CallFailed
from idolchat_llm_openrouter.retry import Retries

type Open = Callable[..., Any]
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@STREAMED
@pytest.mark.parametrize("fault", ["429-r0", "500", "502", "503", "504", "524", "529", "gone", "errfirst", "retrypast"])
async def test_a_failure_before_the_first_token_is_tried_again(
    open_provider: Open, mock_openrouter: Mock, fault: str, stream: bool
) -> None:
    async with open_provider() as provider:
        pieces = await collect(provider, asking("Hi!", model=f"mock/n4-j4-x{fault}-k2", stream=stream))

    assert "".join(piece.content for piece in pieces if isinstance(piece, Delta)) == text_of(4)
    assert mock_openrouter.stats()["requests"] == 3


async def test_tries_are_bounded(open_provider: Open, mock_openrouter: Mock) -> None:
    async with open_provider(retries=3) as provider:
        with pytest.raises(ProviderUnavailable):
            await collect(provider, asking("Hi!", model="mock/x503"))

    assert mock_openrouter.stats()["requests"] == 4


@STREAMED
@pytest.mark.parametrize(
    "fault",
    ["400", "401", "402", "403", "404", "413", "422", "ctx", "moderation", "quota", "redirect", "html", "hopeless"],
)
async def test_what_cannot_succeed_is_not_tried_again(
    open_provider: Open, mock_openrouter: Mock, fault: str, stream: bool
) -> None:
    async with open_provider() as provider:
        with pytest.raises(ProviderError):
            await collect(provider, asking("Hi!", model=f"mock/x{fault}", stream=stream))

    assert mock_openrouter.stats()["requests"] == 1


@pytest.mark.parametrize("fault", ["err", "errempty", "errbare", "errstr", "errfinish", "cut", "reset", "eof", "bad"])
async def test_nothing_is_tried_again_once_something_was_said(
    open_provider: Open, mock_openrouter: Mock, fault: str
) -> None:
    async with open_provider() as provider:
        with pytest.raises(ProviderError):
            await collect(provider, asking("Hi!", model=f"mock/n4-x{fault}-k1"))

    assert mock_openrouter.stats()["requests"] == 1


@pytest.mark.parametrize("fault", ["cut", "reset", "errfinish"])
async def test_a_whole_reply_that_was_begun_is_not_asked_for_again(
    open_provider: Open, mock_openrouter: Mock, fault: str
) -> None:
    async with open_provider() as provider:
        with pytest.raises(ProviderError):
            await collect(provider, asking("Hi!", model=f"mock/j4-x{fault}-k1", stream=False))

    assert mock_openrouter.stats()["requests"] == 1


async def test_a_wait_longer_than_allowed_is_left_to_the_caller(open_provider: Open, mock_openrouter: Mock) -> None:
    async with open_provider(retry_max_wait_s=5) as provider:
        with pytest.raises(RateLimited) as caught:
            await collect(provider, asking("Hi!", model="mock/x429-r6"))

    assert caught.value.retry_after_s == 6
    assert mock_openrouter.stats()["requests"] == 1


async def test_a_wait_that_the_server_asks_for_is_kept(open_provider: Open) -> None:
    async with open_provider(retry_max_wait_s=5) as provider:
        began = asyncio.get_running_loop().time()
        pieces = await collect(provider, asking("Hi!", model="mock/n2-x429-r1-k1"))

    assert isinstance(pieces[-1], Finished)
    assert asyncio.get_running_loop().time() - began >= 1


async def test_cancelling_during_a_wait_ends_it(open_provider: Open, mock_openrouter: Mock) -> None:
    async with open_provider(retry_max_wait_s=60) as provider:
        task = asyncio.create_task(collect(provider, asking("Hi!", model="mock/x429-r50")))
        await mock_openrouter.wait(requests=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert mock_openrouter.stats()["requests"] == 1


async def test_the_time_for_the_whole_reply_holds_for_all_tries(open_provider: Open, mock_openrouter: Mock) -> None:
    async with open_provider(retry_max_wait_s=60, reply_timeout_s=5) as provider:
        with pytest.raises(RateLimited):
            await collect(provider, asking("Hi!", model="mock/x429-r6"))

    assert mock_openrouter.stats()["requests"] == 1


async def test_a_kept_connection_that_was_closed_costs_nothing(open_provider: Open, mock_openrouter: Mock) -> None:
    async with open_provider() as provider:
        await collect(provider, asking("Hi!"))
        mock_openrouter.reset()  # drops it

        assert isinstance((await collect(provider, asking("Hi!")))[-1], Finished)


@given(st.integers(1, 10), st.floats(0, 100), st.integers(0, 10))
def test_waits_are_bounded_and_end(failed: int, max_wait_s: float, limit: int) -> None:
    fault = CallFailed(ProviderUnavailable("x"), retryable=True)
    wait_s = Retries(limit, max_wait_s).wait_s(failed, fault)

    assert (wait_s is None) == (failed > limit)
    assert wait_s is None or 0 <= wait_s <= max_wait_s


async def test_a_reply_in_two_tries_is_said_once(open_provider: Open) -> None:
    async with open_provider() as provider, aclosing(provider.stream(asking("Hi!", model="mock/n6-x502-k1"))) as reply:
        kinds = [type(piece) async for piece in reply]

    assert kinds == [Delta] * 6 + [Finished]
