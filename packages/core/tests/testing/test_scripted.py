import asyncio
from collections.abc import Awaitable, Callable

import pytest

from idolchat_core import CompletionRequest, Delta, Finished
from idolchat_core.errors import RateLimited
from idolchat_core.testing.provider import ProviderConformance, asking, collect
from idolchat_core.testing.scripted import ScriptedProvider


class TestScriptedProvider(ProviderConformance):
    @pytest.fixture
    def provider(self) -> ScriptedProvider:
        return ScriptedProvider()

    @pytest.fixture
    def long_request(self, provider: ScriptedProvider) -> CompletionRequest:
        provider.say(["one ", "two ", "three ", "four ", asyncio.Event()])
        return asking("Count for ever.")

    @pytest.fixture
    def silent_request(self, provider: ScriptedProvider) -> CompletionRequest:
        provider.say([asyncio.Event()])
        return asking("Think for ever.")

    @pytest.fixture
    def echo_request(self) -> Callable[[str], CompletionRequest]:
        return asking

    @pytest.fixture
    def wait_for_replies(self, provider: ScriptedProvider) -> Callable[[int], Awaitable[None]]:
        return provider.wait_for_replies


async def test_replies_are_said_in_turn_and_then_the_users_words() -> None:
    provider = ScriptedProvider("First.", "Second.")
    provider.say("Third.")

    said = [(await collect(provider, asking("Echo!")))[0] for _ in range(4)]

    model = "scripted/model"
    assert said == [Delta(text, None, model) for text in ("First.", "Second.", "Third.", "Echo!")]


async def test_a_text_is_said_word_by_word() -> None:
    pieces = await collect(ScriptedProvider("Hello,  my\nfriend "), asking("Hi!"))

    assert [piece.content for piece in pieces if isinstance(piece, Delta)] == ["Hello,  ", "my\n", "friend "]


async def test_an_error_comes_after_what_was_said_before_it() -> None:
    reply = ScriptedProvider(["Well", RateLimited("slow down", retry_after_s=3)]).stream(asking("Hi!"))

    assert await anext(reply) == Delta("Well", None, "scripted/model")
    with pytest.raises(RateLimited, match="slow down"):
        await anext(reply)


async def test_a_reply_waits_for_its_event() -> None:
    event = asyncio.Event()
    provider = ScriptedProvider(["Well", event, "hello"])
    reply = asyncio.create_task(collect(provider, asking("Hi!")))
    await provider.wait_for_replies(1)
    event.set()

    assert len(await reply) == 3


async def test_deltas_and_ends_are_given_as_they_are() -> None:
    call = Delta(fields={"tool_calls": [{"index": 0}]}, model="other")
    end = Finished(finish_reason="tool_calls")

    assert await collect(ScriptedProvider([call, end]), asking("Hi!")) == [call, end]


async def test_requests_are_kept_in_order() -> None:
    provider = ScriptedProvider()
    await collect(provider, asking("one"))
    await collect(provider, asking("two"))

    assert provider.requests == [asking("one"), asking("two")]


async def test_check_raises_what_it_was_told_to() -> None:
    provider = ScriptedProvider()
    provider.check_error = RateLimited("slow down")

    with pytest.raises(RateLimited, match="slow down"):
        await provider.check()
