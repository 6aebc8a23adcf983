import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any
from uuid import UUID

import pytest
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_openrouter.script import UNICODE, text_of

from idolchat_core import CompletionRequest, ConfigurationError, Delta, Finished
from idolchat_core.testing import ProviderConformance, asking, collect
from idolchat_llm_openrouter import OpenRouterSettings
from idolchat_llm_openrouter.provider import OpenRouterProvider, open_openrouter

type Open = Callable[..., Any]
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def said(pieces: list[Delta | Finished]) -> str:
    return "".join(piece.content for piece in pieces if isinstance(piece, Delta))


def end(pieces: list[Delta | Finished]) -> Finished:
    assert isinstance(pieces[-1], Finished)
    return pieces[-1]


class TestOpenRouterProvider(ProviderConformance):
    @pytest.fixture
    async def provider(self, open_provider: Open) -> AsyncIterator[OpenRouterProvider]:
        async with open_provider() as provider:
            yield provider

    @pytest.fixture
    def long_request(self) -> CompletionRequest:
        return asking("Tell me a story.", model="mock/n400-d15-count")

    @pytest.fixture
    def silent_request(self) -> CompletionRequest:
        return asking("Think.", model="mock/xhang")

    @pytest.fixture
    def echo_request(self) -> Callable[[str], CompletionRequest]:
        return asking

    @pytest.fixture
    def wait_for_replies(self, mock_openrouter: Mock) -> Callable[[int], Awaitable[None]]:
        return mock_openrouter.wait_for_replies


class TestOpenAICompatibleServer(TestOpenRouterProvider):
    """The same over the plain OpenAI API, without a key."""

    @pytest.fixture
    async def provider(self, mock_openrouter: Mock, open_provider: Open) -> AsyncIterator[OpenRouterProvider]:
        url = f"{mock_openrouter.url}/vllm/v1"
        async with open_provider(base_url=url, api_key=None, dialect="auto") as provider:
            yield provider


# What is sent


async def test_fields_are_passed_through_unchanged_and_in_order(
    provider: OpenRouterProvider, mock_openrouter: Mock
) -> None:
    options = {
        "temperature": 0.7, "top_k": 40, "stop": ["\n"], "logit_bias": {"50256": -100}, "seed": 2**70,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"b": 1, "a": 2}}}],
        "provider": {"order": ["Z", "A"], "zdr": True}, "models": ["mock/echo", "mock/n2"],
        "reasoning": {"effort": "low"}, "a_field_of_tomorrow": {"x": None},
    }  # fmt: skip
    await collect(provider, CompletionRequest(messages=[{"role": "user", "content": "Hi!"}], options=options))

    body = json.loads(mock_openrouter.requests(1)[0]["body"])
    sent = list(body.items())
    assert sent[:2] == [("model", "mock/echo-c4096"), ("messages", [{"role": "user", "content": "Hi!"}])]
    assert sent[2 : 2 + len(options)] == list(options.items())
    assert json.dumps(body["tools"]) == json.dumps(options["tools"])


async def test_a_conversation_stays_on_one_server_and_is_never_compressed(
    provider: OpenRouterProvider, mock_openrouter: Mock
) -> None:
    conversation_id = UUID("019a0000-0000-7000-8000-000000000001")
    request = CompletionRequest(
        messages=[{"role": "user", "content": "Hi!"}], conversation_id=conversation_id, user_id="ann@example.com"
    )
    await collect(provider, request)
    await collect(provider, request)

    first, second = mock_openrouter.bodies()
    assert first == second
    assert first["session_id"] == str(conversation_id)
    assert first["plugins"] == [{"id": "context-compression", "enabled": False}]
    assert first["user"]
    assert "ann" not in first["user"]


async def test_what_the_client_gives_stands(provider: OpenRouterProvider, mock_openrouter: Mock) -> None:
    given: dict[str, Any] = {"plugins": [{"id": "web"}], "session_id": "mine", "user": "me"}
    message = {"role": "user", "content": "Hi!"}
    await collect(
        provider, CompletionRequest(messages=[message], options=given, conversation_id=UUID(int=1), user_id="x")
    )

    body = mock_openrouter.bodies()[0]
    assert {name: body[name] for name in given} == given


async def test_openrouter_fields_stay_away_from_other_servers(open_provider: Open, mock_openrouter: Mock) -> None:
    request = CompletionRequest(
        messages=[{"role": "user", "content": "Hi!"}], conversation_id=UUID(int=1), user_id=UUID(int=2)
    )
    async with open_provider(dialect="auto") as provider:
        await collect(provider, request)

    assert mock_openrouter.bodies() == [
        {
            "model": "mock/echo-c4096",
            "messages": [{"role": "user", "content": "Hi!"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


async def test_headers_name_the_app_and_carry_the_key(open_provider: Open, mock_openrouter: Mock) -> None:
    async with open_provider(referer="https://idol.example", title="My Idol", categories="roleplay,games") as provider:
        await collect(provider, asking("Hi!"))

    headers = mock_openrouter.requests(1)[0]["headers"]
    assert headers["authorization"] == "Bearer sk-canary-7d1f"
    assert headers["http-referer"] == "https://idol.example"
    assert headers["x-openrouter-title"] == headers["x-title"] == "My Idol"
    assert headers["x-openrouter-categories"] == "roleplay,games"
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "identity"


async def test_without_a_key_none_is_sent(open_provider: Open, mock_openrouter: Mock) -> None:
    async with open_provider(api_key=None) as provider:
        await collect(provider, asking("Hi!"))

    assert "authorization" not in mock_openrouter.requests(1)[0]["headers"]


async def test_a_server_that_knows_no_stream_options_is_asked_without(
    open_provider: Open, mock_openrouter: Mock
) -> None:
    async with open_provider(dialect="openai", retries=0) as provider:
        for _ in range(2):
            assert said(await collect(provider, asking("Hi!", model="mock/n3-xnostreamoptions"))) == text_of(3)

    assert ["stream_options" in body for body in mock_openrouter.bodies()] == [True, False, False]


async def test_a_request_over_a_megabyte_is_sent(open_provider: Open, mock_openrouter: Mock) -> None:
    async with open_provider() as provider:
        await collect(provider, asking("x" * 2_000_000, model="mock/n2"))

    assert mock_openrouter.stats()["bytes_in"] > 2_000_000


async def test_halves_of_characters_can_be_sent(provider: OpenRouterProvider) -> None:
    assert said(await collect(provider, asking("half \ud83c a flower"))) == "half \ufffd a flower"


async def test_connections_are_used_again(provider: OpenRouterProvider, mock_openrouter: Mock) -> None:
    before = mock_openrouter.stats()["connections"]
    for model, stream in (("mock/n2", True), ("mock/j2", False), ("mock/n2-xtardy", True), ("mock/n2", True)):
        await collect(provider, asking("Hi!", model=model, stream=stream))
    after = mock_openrouter.stats()["connections"]

    assert after - before == 2  # one of ours, and the one that asks for the figures


# What comes back


@STREAMED
async def test_usage_and_cost_are_those_of_the_server(provider: OpenRouterProvider, stream: bool) -> None:
    usage = end(await collect(provider, asking("word " * 2000, model="mock/n3-reason-count", stream=stream))).usage

    assert usage is not None
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (2007, 1024, 3)
    assert usage.cost == pytest.approx((2007 - 1024 + 3) / 1e6)
    assert usage.model_extra == {"is_byok": False}


@STREAMED
async def test_reasoning_is_passed_on(provider: OpenRouterProvider, stream: bool) -> None:
    pieces = await collect(provider, asking("Hi!", model="mock/n2-reason", stream=stream))

    first = pieces[0]
    assert isinstance(first, Delta)
    assert first.fields is not None
    assert first.fields["reasoning"] == "Let me "
    assert first.fields["reasoning_details"][0]["type"] == "reasoning.text"
    usage = end(pieces).usage
    assert usage is not None
    assert usage.reasoning_tokens == 3


async def test_tool_calls_are_passed_on_as_they_come(provider: OpenRouterProvider) -> None:
    pieces = await collect(provider, asking("Hi!", model="mock/tools"))

    calls = [piece.fields["tool_calls"][0] for piece in pieces if isinstance(piece, Delta) and piece.fields]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city": "Zürich"}'
    assert calls[0]["id"] == "call_1"
    assert end(pieces).finish_reason == "tool_calls"


@pytest.mark.parametrize(
    "model", ["mock/n40", "mock/n40-xsplit", "mock/n40-bytes", "mock/n40-xplain", "mock/n40-xnodone"]
)
async def test_a_stream_is_read_however_it_is_sent(provider: OpenRouterProvider, model: str) -> None:
    pieces = await collect(provider, asking("Hi!", model=model))

    assert [piece.content for piece in pieces if isinstance(piece, Delta)][:3] == ["word0 ", "word1 ", "word2 "]
    assert said(pieces) == text_of(40)
    assert end(pieces).usage is not None


async def test_any_script_survives_bytes_that_come_one_by_one(provider: OpenRouterProvider) -> None:
    """Scenarios 35 and 36."""
    assert said(await collect(provider, asking("Hi!", model="mock/uni-bytes"))) == UNICODE


async def test_a_server_that_does_not_stream_is_read_whole(provider: OpenRouterProvider) -> None:
    assert said(await collect(provider, asking("Hi!", model="mock/j30-xjson"))) == text_of(30)


async def test_the_model_and_id_are_told(provider: OpenRouterProvider) -> None:
    pieces = await collect(provider, asking("Hi!", model="mock/n3"))

    assert [piece.model for piece in pieces] == ["mock/n3", None, None, "mock/n3"]
    assert end(pieces).completion_id == "gen-1700000000-mock"


@pytest.mark.parametrize("fault", ["noend", "chatter", "linger"])
async def test_a_finished_reply_needs_no_polite_end(open_provider: Open, mock_openrouter: Mock, fault: str) -> None:
    async with open_provider() as provider:
        pieces = await collect(provider, asking("Hi!", model=f"mock/n4-x{fault}"))
        await mock_openrouter.wait_for_replies(0)

    assert said(pieces) == text_of(4)
    assert end(pieces).finish_reason == "stop"


async def test_deltas_that_came_together_need_no_turn_of_the_event_loop(provider: OpenRouterProvider) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    seen: list[int] = []
    async with aclosing(provider.stream(asking("Hi!", model="mock/n200-xsplit-s0"))) as reply:
        async for _ in reply:
            if not seen:
                time.sleep(0.05)  # noqa: ASYNC251  meanwhile what follows gathers in the socket
            seen.append(turns)
    counting.cancel()

    assert len(set(seen)) < len(seen)


# Lists and checks


async def test_models_come_from_all_pages_and_are_asked_for_once(
    provider: OpenRouterProvider, mock_openrouter: Mock
) -> None:
    lists = [*await asyncio.gather(*(provider.list_models() for _ in range(5))), await provider.list_models()]
    model = {model.id: model for model in lists[0]}["mock/echo-c512"]

    assert (model.context_length, model.max_output_tokens, model.name) == (512, 2048, "Mock: mock/echo-c512")
    assert model.input_modalities == ("text",)
    assert all(listed == lists[0] for listed in lists)
    assert [request["path"] for request in mock_openrouter.requests()] == [
        "/api/v1/models",
        "/api/v1/models?offset=4&limit=4",
    ]


@pytest.mark.parametrize(("path", "expected"), [("/vllm/v1", 4096), ("/llamacpp/v1", 4096), ("/v1", None)])
async def test_context_lengths_of_other_servers_are_read(
    open_provider: Open, mock_openrouter: Mock, path: str, expected: int | None
) -> None:
    async with open_provider(base_url=mock_openrouter.url + path, dialect="auto") as provider:
        models = {model.id: model for model in await provider.list_models()}

    assert models["mock/echo-c4096"].context_length == expected


async def test_one_who_stops_asking_for_models_leaves_the_others_their_answer(provider: OpenRouterProvider) -> None:
    first = asyncio.create_task(provider.list_models())
    second = asyncio.create_task(provider.list_models())
    await asyncio.sleep(0)
    first.cancel()

    assert await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_openrouter_itself_needs_a_key() -> None:
    with pytest.raises(ConfigurationError, match="OPENROUTER_API_KEY is not set"):
        async with open_openrouter(OpenRouterSettings()):
            pass


async def test_a_proxy_of_the_environment_is_used(
    mock_openrouter: Mock, monkeypatch: pytest.MonkeyPatch, open_provider: Open
) -> None:
    monkeypatch.setenv("http_proxy", mock_openrouter.url)
    async with open_provider(base_url="http://models.example/api/v1") as provider:
        await collect(provider, asking("Hi!"))

    assert mock_openrouter.requests(1)[0]["path"] == "http://models.example/api/v1/chat/completions"
