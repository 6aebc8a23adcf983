"""Each fault of the mock ends in the right error, after whatever came before it."""

import logging
import traceback
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from tests.support.mock_openrouter.faults import AVAILABILITY
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_openrouter.script import text_of
from tests.support.mock_openrouter.spoil import WRONG

from idolchat_core import (
    CompletionRequest,
    ContextTooLong,
    Delta,
    ModelNotFound,
    NotAuthorized,
    PaymentRequired,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    ReplyCut,
    RequestRefused,
)
from idolchat_core.testing import asking, collect
from idolchat_llm_openrouter.provider import OpenRouterProvider

type Open = Callable[..., Any]
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


async def failure(provider: OpenRouterProvider, request: CompletionRequest) -> tuple[str, ProviderError]:
    """Take what comes before an error, and the error."""
    said = ""
    with pytest.raises(ProviderError) as caught:  # noqa: PT012  # what comes before it is wanted too
        async with aclosing(provider.stream(request)) as reply:
            async for piece in reply:
                assert isinstance(piece, Delta)
                said += piece.content
    return said, caught.value


@pytest.fixture
async def provider(open_provider: Open) -> Any:
    async with open_provider(retries=0) as provider:
        yield provider


@STREAMED
@pytest.mark.parametrize(
    ("fault", "error", "status", "code"),
    [
        ("400", RequestRefused, 400, None),
        ("401", NotAuthorized, 401, None),
        ("402", PaymentRequired, 402, None),
        ("403", NotAuthorized, 403, None),
        ("404", ModelNotFound, 404, None),
        ("408", ProviderTimeout, 408, None),
        ("413", RequestRefused, 413, None),
        ("422", RequestRefused, 422, None),
        ("429", RateLimited, 429, None),
        ("500", ProviderUnavailable, 500, None),
        ("502", ProviderUnavailable, 502, None),
        ("503", ProviderUnavailable, 503, None),
        ("504", ProviderTimeout, 504, None),
        ("524", ProviderTimeout, 524, None),
        ("529", ProviderUnavailable, 529, None),
        ("moderation", RequestRefused, 403, "moderation"),
        ("guardrail", RequestRefused, 403, "moderation"),
        ("quota", PaymentRequired, 429, "insufficient_quota"),
        ("ctx", ContextTooLong, 400, None),
        ("ctxtype", ContextTooLong, 400, "context_length_exceeded"),
        ("ctxopenai", ContextTooLong, 400, "context_length_exceeded"),
        ("ctxvllm", ContextTooLong, 400, "BadRequestError"),
        ("ctxllamacpp", ContextTooLong, 400, "exceed_context_size_error"),
        ("nomodel", ModelNotFound, 404, "model_not_found"),
        ("detail", ProviderError, 404, None),
        ("errortext", ProviderUnavailable, 500, None),
        ("html", ProviderUnavailable, None, None),
        ("redirect", ProviderError, 307, None),
        ("errjson", ProviderUnavailable, 502, None),
        ("flooderror", ProviderUnavailable, 500, None),
        ("gone", ProviderUnavailable, None, None),
    ],
)
async def test_a_refusal_is_the_right_error(
    provider: OpenRouterProvider,
    fault: str,
    error: type[ProviderError],
    status: int | None,
    code: str | None,
    stream: bool,
) -> None:
    said, caught = await failure(provider, asking("Hi!", model=f"mock/x{fault}", stream=stream))

    assert (said, type(caught), caught.status, caught.provider_code) == ("", error, status, code)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("capacity_exhausted", RateLimited),
        ("temporarily_unavailable", ProviderUnavailable),
        ("wrong_endpoint", RequestRefused),
        *((code, ModelNotFound) for code, (status, _) in AVAILABILITY.items() if status in (403, 404)),
        ("model_not_found", ModelNotFound),
    ],
)
async def test_availability_is_understood_without_a_code_beside_it(
    provider: OpenRouterProvider, code: str, error: type[ProviderError]
) -> None:
    _, caught = await failure(provider, asking("Hi!", model=f"mock/x{code}"))

    assert (type(caught), caught.provider_code, caught.status) == (error, code, AVAILABILITY[code][0])


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        ("err", ProviderUnavailable, 502),
        ("errempty", ProviderUnavailable, 502),
        ("errbare", ProviderUnavailable, 502),
        ("errstr", ProviderUnavailable, None),
        ("errfinish", ProviderUnavailable, None),
        ("errlimit", RateLimited, 429),
        ("cut", ReplyCut, None),
        ("reset", ReplyCut, None),
        ("eof", ReplyCut, None),
        ("bad", ProviderUnavailable, None),
    ],
)
async def test_an_error_amid_a_stream_comes_after_what_was_said(
    provider: OpenRouterProvider, fault: str, error: type[ProviderError], status: int | None
) -> None:
    """Scenarios 27 and 28."""
    said, caught = await failure(provider, asking("Hi!", model=f"mock/n20-x{fault}"))

    assert (said, type(caught), caught.status) == (text_of(10), error, status)


async def test_a_stream_without_a_finish_is_cut_though_it_says_done(provider: OpenRouterProvider) -> None:
    """Scenario 28."""
    said, caught = await failure(provider, asking("Hi!", model="mock/n20-xnofinish"))

    assert (said, type(caught)) == (text_of(20), ReplyCut)


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("err", ProviderUnavailable, ""),
        ("errstr", ProviderUnavailable, ""),
        ("errlimit", RateLimited, ""),
        ("errfinish", ProviderUnavailable, text_of(20)),
        ("cut", ReplyCut, ""),
        ("reset", ReplyCut, ""),
        ("empty", ReplyCut, ""),
        ("bad", ProviderUnavailable, ""),
    ],
)
async def test_a_whole_reply_that_failed_is_an_error_though_its_status_is_200(
    provider: OpenRouterProvider, fault: str, error: type[ProviderError], said: str
) -> None:
    got, caught = await failure(provider, asking("Hi!", model=f"mock/j20-x{fault}", stream=False))

    assert (got, type(caught)) == (said, error)


async def test_an_empty_stream_is_cut(provider: OpenRouterProvider) -> None:
    said, caught = await failure(provider, asking("Hi!", model="mock/xempty"))

    assert (said, type(caught)) == ("", ReplyCut)


@STREAMED
@pytest.mark.parametrize("number", range(len(WRONG)))
async def test_wrong_types_are_an_error_of_the_provider(
    provider: OpenRouterProvider, number: int, stream: bool
) -> None:
    request = asking("Hi!", model=f"mock/n4-xwrong{number}", stream=stream)
    # A chunk without choices, or whose delta says nothing, may stand in a stream; a completion must have one.
    harmless = stream and WRONG[number] in ({"choices": None}, {"choices": [{"delta": [], "message": []}]})
    if harmless:
        assert len(await collect(provider, request)) == 5
        return
    _, caught = await failure(provider, request)

    assert type(caught) in (ProviderUnavailable, ReplyCut)


@pytest.mark.parametrize(("name", "seconds"), [("429-r7", 7), ("retrypast", 0), ("429-r0", 0), ("503-r9", None)])
async def test_when_to_come_back_is_told(provider: OpenRouterProvider, name: str, seconds: float | None) -> None:
    _, caught = await failure(provider, asking("Hi!", model=f"mock/x{name}"))

    assert getattr(caught, "retry_after_s", None) == seconds


async def test_a_date_to_come_back_is_understood(provider: OpenRouterProvider) -> None:
    _, caught = await failure(provider, asking("Hi!", model="mock/xretrydate"))

    assert isinstance(caught, RateLimited)
    assert caught.retry_after_s is not None
    assert caught.retry_after_s > 1e9


async def test_a_redirect_is_not_followed(provider: OpenRouterProvider, mock_openrouter: Mock) -> None:
    _, caught = await failure(provider, asking("Hi!", model="mock/xredirect"))

    assert "set OPENROUTER_BASE_URL" in str(caught)
    assert mock_openrouter.stats()["trapped"] == 0


async def test_an_error_says_what_the_server_said_if_that_is_harmless(provider: OpenRouterProvider) -> None:
    _, caught = await failure(provider, asking("Hi!", model="mock/x400"))

    assert "(HTTP 400): max_tokens: must be at least 16; " in str(caught)


@pytest.mark.parametrize("fault", ["401", "403", "moderation"])
async def test_what_is_said_about_a_key_or_a_moderation_is_not_repeated(
    provider: OpenRouterProvider, fault: str
) -> None:
    _, caught = await failure(provider, asking("Hi!", model=f"mock/x{fault}"))

    assert not any(words in str(caught) for words in ("User not found", "Key limit", "Your chosen model"))


async def test_a_server_that_is_not_there_is_named(open_provider: Open) -> None:
    async with open_provider(base_url="http://127.0.0.1:9/v1", retries=0) as provider:
        _, caught = await failure(provider, asking("Hi!"))
        with pytest.raises(ProviderUnavailable, match="OPENROUTER_BASE_URL"):
            await provider.check()

    assert str(caught).startswith("127.0.0.1:9 cannot be reached (")


@pytest.mark.parametrize(
    ("key", "error"), [("sk-wrong", NotAuthorized), ("sk-poor", PaymentRequired), ("sk-good", None)]
)
@pytest.mark.parametrize("dialect", ["openrouter", "openai"])
async def test_a_check_raises_what_a_request_would_meet(
    open_provider: Open, key: str, error: type[ProviderError] | None, dialect: str
) -> None:
    async with open_provider(api_key=key, dialect=dialect) as provider:
        if error is None:
            await provider.check()
            return
        with pytest.raises(error):
            await provider.check()
        with pytest.raises(error):
            await collect(provider, asking("Hi!"))


async def test_a_key_that_is_used_up_is_told_before_a_request_meets_it(open_provider: Open) -> None:
    async with open_provider(api_key="sk-spent") as provider:
        with pytest.raises(PaymentRequired, match="reached its limit"):
            await provider.check()


async def test_a_path_that_leads_nowhere_is_told(open_provider: Open, mock_openrouter: Mock) -> None:
    async with open_provider(base_url=f"{mock_openrouter.url}/nowhere/at/all", dialect="openai") as provider:
        with pytest.raises(ProviderError, match="often ends in /v1"):
            await collect(provider, asking("Hi!", model="mock/xdetail"))
        with pytest.raises(ProviderError, match="often ends in /v1"):
            await provider.check()


@STREAMED
@pytest.mark.parametrize("fault", ["leak", "401", "moderation", "html", "gone", "500", "redirect", "hang"])
async def test_no_error_and_no_log_gives_away_the_key_or_what_was_said(
    open_provider: Open, caplog: pytest.LogCaptureFixture, fault: str, stream: bool
) -> None:
    secret = "the code of my house is 4711-canary"
    with caplog.at_level(logging.DEBUG):
        async with open_provider(retries=1, reply_timeout_s=0.5) as provider:
            _, caught = await failure(provider, asking(secret, model=f"mock/x{fault}", stream=stream))

    shown = "".join(traceback.format_exception(caught)) + caplog.text + repr(caught.__dict__)
    shown += "".join(str(record.__dict__) for record in caplog.records)
    assert "canary" not in shown
    assert "something that was said" not in shown
