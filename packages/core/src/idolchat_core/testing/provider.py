"""What every LLM provider must do: a pytest class to run by overriding its fixtures."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from idolchat_core.errors import ContextTooLong, ModelNotFound
from idolchat_core.llm.contract import CompletionRequest, Delta, Finished, LLMProvider

__all__ = ["ProviderConformance", "asking", "collect"]

STOPS_WITHIN_S = 10.0  # on a machine that does much else; what is told to stop would take far longer
ANSWERS_WITHIN_S = 60.0

TEXTS = {
    "CJK": "你好我的朋友。今日はいい天気ですね。 안녕하세요",
    "emoji": "🌸 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "line ends": "one\ntwo\r\nthree\rfour",
    "Unicode line ends": "one\u2028two\u2029three\u0085four\vfive\fsix",
    "right to left": "שלום עולם مرحبا",
    "combining": "e\u0301 \u0928\u093f",
    "JSON and SSE": 'say {"data": "[DONE]"}\n\ndata: [DONE]\n\n: comment\\n',
}


def asking(text: str, *, model: str | None = None, stream: bool = True, **options: Any) -> CompletionRequest:
    """Make a request of one user message; keywords are the other fields of a chat completions request."""
    return CompletionRequest(messages=[{"role": "user", "content": text}], model=model, stream=stream, options=options)


async def collect(provider: LLMProvider, request: CompletionRequest) -> list[Delta | Finished]:
    """Return all pieces of a reply, within a minute."""
    async with asyncio.timeout(ANSWERS_WITHIN_S), aclosing(provider.stream(request)) as reply:
        return [piece async for piece in reply]


async def _not_observable(count: int) -> None:
    pytest.skip("observable is False")


def _text(pieces: Sequence[Delta | Finished]) -> str:
    return "".join(piece.content for piece in pieces if isinstance(piece, Delta))


def _end(pieces: Sequence[Delta | Finished]) -> Finished:
    assert pieces, "the reply is empty: not even a Finished"
    end = pieces[-1]
    assert isinstance(end, Finished)
    return end


@pytest.mark.asyncio
class ProviderConformance:
    """The contract of ``LLMProvider``, as tests.

    Override the fixtures ``provider``, with an open one that can be reached, and ``long_request``; ``echo_request``
    and ``wait_for_replies`` too, or set ``echoes`` and ``observable`` to False. What a provider need not do is a class
    attribute to set to False, so that the gap stands in the open.
    """

    echoes: ClassVar[bool] = True
    """``echo_request`` gives a request that is answered with the very text."""

    observable: ClassVar[bool] = True
    """``wait_for_replies`` sees what goes on upstream."""

    checks_model: ClassVar[bool] = True
    """A request for a model that does not exist is refused."""

    limits_context: ClassVar[bool] = True
    """A prompt over the default model's context length is refused."""

    honours_max_tokens: ClassVar[bool] = True
    """``max_tokens`` cuts a reply, with ``finish_reason`` ``length``."""

    @pytest.fixture
    def provider(self) -> LLMProvider:
        """Return an open provider with a ``default_model``."""
        raise NotImplementedError("override the fixture `provider`")

    @pytest.fixture
    def short_request(self) -> CompletionRequest:
        """Ask for a reply that ends by itself within seconds."""
        return asking("Say hello.", max_tokens=16)

    @pytest.fixture
    def long_request(self) -> CompletionRequest:
        """Ask for a reply of many deltas that goes on for some seconds if nobody stops it."""
        raise NotImplementedError("override the fixture `long_request`")

    @pytest.fixture
    def silent_request(self, long_request: CompletionRequest) -> CompletionRequest:
        """Ask for a reply whose first delta takes its time; ``long_request`` where that cannot be had."""
        return long_request

    @pytest.fixture
    def echo_request(self) -> Callable[[str], CompletionRequest]:
        """Return a maker of requests that are answered with their text; not used if ``echoes`` is False."""
        self._needs("echoes")
        raise NotImplementedError("override the fixture `echo_request`, or set `echoes = False`")

    @pytest.fixture
    def wait_for_replies(self) -> Callable[[int], Awaitable[None]]:
        """Return a waiter: it returns once exactly so many replies are being made upstream.

        Not used if ``observable`` is False.
        """
        if self.observable:
            raise NotImplementedError("override the fixture `wait_for_replies`, or set `observable = False`")
        return _not_observable

    # What a reply is

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    async def test_a_reply_is_deltas_then_exactly_one_finished(
        self, provider: LLMProvider, short_request: CompletionRequest, stream: bool
    ) -> None:
        pieces = await collect(provider, _with(short_request, stream=stream))

        assert _text(pieces)
        assert [type(piece) for piece in pieces] == [Delta] * (len(pieces) - 1) + [Finished]

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    async def test_the_end_tells_reason_model_and_usage(
        self, provider: LLMProvider, short_request: CompletionRequest, stream: bool
    ) -> None:
        end = _end(await collect(provider, _with(short_request, stream=stream)))

        assert end.finish_reason in ("stop", "length")
        assert end.model
        assert end.usage is not None
        assert end.usage.input_tokens > 0
        assert end.usage.output_tokens > 0

    async def test_a_longer_prompt_counts_more_input_tokens(self, provider: LLMProvider) -> None:
        short, long = [
            _end(await collect(provider, asking(text, max_tokens=4))).usage for text in ("Hi.", "Hello there. " * 40)
        ]

        assert short is not None
        assert long is not None
        assert long.input_tokens > short.input_tokens + 40

    async def test_max_tokens_cuts_a_reply(self, provider: LLMProvider, long_request: CompletionRequest) -> None:
        self._needs("honours_max_tokens")
        options = {**long_request.options, "max_tokens": 3}
        end = _end(await collect(provider, _with(long_request, options=options)))

        assert end.finish_reason == "length"
        assert end.usage is not None
        assert end.usage.output_tokens <= 3

    async def test_deltas_come_while_the_reply_is_being_made(
        self,
        provider: LLMProvider,
        long_request: CompletionRequest,
        wait_for_replies: Callable[[int], Awaitable[None]],
    ) -> None:
        self._needs("observable")
        async with asyncio.timeout(ANSWERS_WITHIN_S), aclosing(provider.stream(long_request)) as reply:
            first = await anext(reply)
            await wait_for_replies(1)

        assert isinstance(first, Delta)

    async def test_a_request_is_left_as_it_was(self, provider: LLMProvider, short_request: CompletionRequest) -> None:
        before = copy.deepcopy(short_request)
        await collect(provider, short_request)

        assert short_request == before

    async def test_a_conversation_with_ids_is_answered(self, provider: LLMProvider) -> None:
        request = CompletionRequest(
            messages=[
                {"role": "system", "content": "You are a friend."},
                {"role": "user", "content": "Hi!"},
                {"role": "assistant", "content": "Hello!"},
                {"role": "user", "content": "What did you say?"},
            ],
            options={"max_tokens": 16},
            conversation_id=uuid4(),
            user_id=uuid4(),
        )

        assert _text(await collect(provider, request))

    # Text

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
    async def test_any_text_can_be_asked(self, provider: LLMProvider, text: str) -> None:
        reply = _text(await collect(provider, asking(text, max_tokens=16, temperature=0)))

        reply.encode()  # a lone surrogate, half of a character, would raise
        assert "\ufffd" not in reply

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
    async def test_any_text_comes_back_unchanged(
        self,
        provider: LLMProvider,
        echo_request: Callable[[str], CompletionRequest],
        text: str,
        stream: bool,
    ) -> None:
        self._needs("echoes")
        reply = _text(await collect(provider, _with(echo_request(text), stream=stream)))

        assert reply == text

    async def test_concurrent_replies_keep_apart(
        self, provider: LLMProvider, echo_request: Callable[[str], CompletionRequest]
    ) -> None:
        self._needs("echoes")
        texts = [f"friend {number} says hello" for number in range(8)]
        replies = await asyncio.gather(*(collect(provider, echo_request(text)) for text in texts))

        assert [_text(reply) for reply in replies] == texts

    async def test_concurrent_replies_all_end(self, provider: LLMProvider, short_request: CompletionRequest) -> None:
        replies = await asyncio.gather(*(collect(provider, short_request) for _ in range(4)))

        assert [type(reply[-1]) for reply in replies] == [Finished] * 4

    # Telling in the moment

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    async def test_an_answer_is_told_and_ends_as_a_stream_does(
        self, provider: LLMProvider, short_request: CompletionRequest, stream: bool
    ) -> None:
        heard: list[Delta] = []
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            finished = await provider.answer(_with(short_request, stream=stream), heard.extend)

        assert heard
        assert all(isinstance(delta, Delta) for delta in heard)
        assert isinstance(finished, Finished)
        assert finished.finish_reason

    async def test_an_error_of_who_hears_stops_the_work_and_is_raised(
        self,
        provider: LLMProvider,
        long_request: CompletionRequest,
        short_request: CompletionRequest,
        wait_for_replies: Callable[[int], Awaitable[None]],
    ) -> None:
        calls = 0

        def fail(deltas: Sequence[Delta]) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise ArithmeticError("cannot hear")

        async with asyncio.timeout(ANSWERS_WITHIN_S):
            with pytest.raises(ArithmeticError, match="cannot hear"):
                await provider.answer(long_request, fail)
        if self.observable:
            async with asyncio.timeout(STOPS_WITHIN_S):
                await wait_for_replies(0)

        assert calls == 2
        assert isinstance((await collect(provider, short_request))[-1], Finished)

    async def test_an_answer_that_is_cancelled_stops_the_work_and_tells_no_more(
        self,
        provider: LLMProvider,
        long_request: CompletionRequest,
        wait_for_replies: Callable[[int], Awaitable[None]],
    ) -> None:
        self._needs("observable")
        heard: list[Delta] = []
        spoke = asyncio.Event()

        def on_deltas(deltas: Sequence[Delta]) -> None:
            heard.extend(deltas)
            spoke.set()

        task = asyncio.create_task(provider.answer(long_request, on_deltas))
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await spoke.wait()
        task.cancel()
        async with asyncio.timeout(STOPS_WITHIN_S):
            with pytest.raises(asyncio.CancelledError):
                await task
            before = len(heard)
            await wait_for_replies(0)

        assert len(heard) == before

    # Stopping

    async def test_closing_stops_the_work_upstream(
        self,
        provider: LLMProvider,
        long_request: CompletionRequest,
        wait_for_replies: Callable[[int], Awaitable[None]],
    ) -> None:
        self._needs("observable")
        reply = provider.stream(long_request)
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await anext(reply)
            await wait_for_replies(1)
        async with asyncio.timeout(STOPS_WITHIN_S):
            await reply.aclose()
            await wait_for_replies(0)

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    async def test_cancelling_before_the_first_delta_stops_the_work_upstream(
        self,
        provider: LLMProvider,
        silent_request: CompletionRequest,
        wait_for_replies: Callable[[int], Awaitable[None]],
        stream: bool,
    ) -> None:
        self._needs("observable")
        task = asyncio.create_task(collect(provider, _with(silent_request, stream=stream)))
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await wait_for_replies(1)
        async with asyncio.timeout(STOPS_WITHIN_S):
            task.cancel()
            await wait_for_replies(0)

        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_cancelling_amid_a_reply_passes_through_and_stops_the_work(
        self,
        provider: LLMProvider,
        long_request: CompletionRequest,
        wait_for_replies: Callable[[int], Awaitable[None]],
    ) -> None:
        self._needs("observable")
        task, spoke = _started(provider, long_request)
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await spoke.wait()
            await wait_for_replies(1)
        async with asyncio.timeout(STOPS_WITHIN_S):
            task.cancel()
            await wait_for_replies(0)

        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_cancelling_ends_the_task_at_once(
        self, provider: LLMProvider, long_request: CompletionRequest
    ) -> None:
        task, spoke = _started(provider, long_request)
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await spoke.wait()
        task.cancel()
        async with asyncio.timeout(STOPS_WITHIN_S):
            with pytest.raises(asyncio.CancelledError):
                await task

    async def test_a_stopped_reply_leaves_the_provider_usable(
        self, provider: LLMProvider, long_request: CompletionRequest, short_request: CompletionRequest
    ) -> None:
        async with asyncio.timeout(ANSWERS_WITHIN_S), aclosing(provider.stream(long_request)) as reply:
            await anext(reply)

        assert isinstance((await collect(provider, short_request))[-1], Finished)

    async def test_stopping_one_reply_leaves_another_whole(
        self, provider: LLMProvider, long_request: CompletionRequest, short_request: CompletionRequest
    ) -> None:
        async with asyncio.timeout(ANSWERS_WITHIN_S), aclosing(provider.stream(long_request)) as stopped:
            await anext(stopped)
            other = asyncio.create_task(collect(provider, short_request))
            await stopped.aclose()
            pieces = await other

        assert isinstance(pieces[-1], Finished)

    async def test_closing_an_unread_reply_does_nothing(
        self, provider: LLMProvider, short_request: CompletionRequest
    ) -> None:
        reply = provider.stream(short_request)
        await reply.aclose()

        with pytest.raises(StopAsyncIteration):
            await anext(reply)

    async def test_nothing_comes_after_the_end(self, provider: LLMProvider, short_request: CompletionRequest) -> None:
        reply = provider.stream(short_request)
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            while not isinstance(await anext(reply), Finished):
                pass

        with pytest.raises(StopAsyncIteration):
            await anext(reply)

    # Models and errors

    async def test_models_are_listed_once_each(self, provider: LLMProvider) -> None:
        ids = [model.id for model in await provider.list_models()]

        assert ids
        assert all(ids)
        assert len(ids) == len(set(ids))

    async def test_the_default_model_is_listed_with_its_context_length(self, provider: LLMProvider) -> None:
        assert await _context_length(provider) > 0

    async def test_a_listed_model_answers_by_its_id(
        self, provider: LLMProvider, short_request: CompletionRequest
    ) -> None:
        pieces = await collect(provider, _with(short_request, model=provider.default_model))

        assert _text(pieces)

    async def test_check_returns_when_the_provider_can_answer(self, provider: LLMProvider) -> None:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await provider.check()

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    async def test_an_unknown_model_is_not_found(self, provider: LLMProvider, stream: bool) -> None:
        self._needs("checks_model")
        with pytest.raises(ModelNotFound, match="no-such/model"):
            await collect(provider, asking("Hi!", model="no-such/model", stream=stream))

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    async def test_a_prompt_over_the_context_length_is_too_long(self, provider: LLMProvider, stream: bool) -> None:
        self._needs("limits_context")
        length = await _context_length(provider)

        with pytest.raises(ContextTooLong):
            await collect(provider, asking("a word " * length, stream=stream))

    async def test_an_error_leaves_the_provider_usable(
        self, provider: LLMProvider, short_request: CompletionRequest
    ) -> None:
        self._needs("checks_model")
        with pytest.raises(ModelNotFound):
            await collect(provider, asking("Hi!", model="no-such/model"))

        assert isinstance((await collect(provider, short_request))[-1], Finished)

    def _needs(self, feature: str) -> None:
        if not getattr(self, feature):
            pytest.skip(f"{feature} is False")


async def _context_length(provider: LLMProvider) -> int:
    listed = {model.id: model.context_length for model in await provider.list_models()}
    assert provider.default_model, "give the fixture `provider` a default_model"
    assert provider.default_model in listed
    length = listed[provider.default_model]
    assert length is not None
    return length


def _with(request: CompletionRequest, **changes: Any) -> CompletionRequest:
    return replace(request, **changes)


def _started(provider: LLMProvider, request: CompletionRequest) -> tuple[asyncio.Task[None], asyncio.Event]:
    spoke = asyncio.Event()

    async def read() -> None:
        async with aclosing(provider.stream(request)) as reply:
            async for _ in reply:
                spoke.set()

    return asyncio.create_task(read()), spoke
