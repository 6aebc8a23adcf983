"""Answers of servers as they were recorded: what is said is read, and what goes wrong is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.recordings import Recording, recorded, serving

from idolchat_core import ContextTooLong, Delta, Finished, ProviderError, ProviderUnavailable, ReplyCut, RequestRefused
from idolchat_core.testing import asking
from idolchat_llm_openrouter.provider import OpenRouterProvider

type Open = Callable[..., Any]
RECORDINGS = Path(__file__).parent / "recordings"


class Heard:
    """What came of a request."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.finished: Finished | None = None
        self.error: ProviderError | None = None
        self.calls = 0

    @property
    def text(self) -> str:
        return "".join(delta.content for delta in self.deltas)

    def field(self, name: str) -> list[Any]:
        return [delta.fields[name] for delta in self.deltas if delta.fields and name in delta.fields]

    @property
    def tool_calls(self) -> list[tuple[str, str, str]]:
        """Put the calls together as a client does: by index, arguments appended."""
        calls: dict[int, list[str]] = {}
        for pieces in self.field("tool_calls"):
            for piece in pieces:
                call = calls.setdefault(piece["index"], [piece.get("id", ""), "", ""])
                call[1] += piece["function"].get("name", "")
                call[2] += piece["function"]["arguments"]
        return [(call[0], call[1], call[2]) for _, call in sorted(calls.items())]


@pytest.fixture
def hear(open_provider: Open) -> Callable[..., Any]:
    """Ask a server that answers with a recording."""

    @asynccontextmanager
    async def opened(played: Recording, **settings: Any) -> AsyncIterator[tuple[OpenRouterProvider, Any]]:
        async with serving(played) as server:
            given = {"base_url": f"http://127.0.0.1:{server.port}/v1", "dialect": "openai", **settings}
            async with open_provider(**given) as provider:
                yield provider, server

    async def ask(name: str | Recording, *, stream: bool = True, **settings: Any) -> Heard:
        heard = Heard()
        played = name if isinstance(name, Recording) else recorded(RECORDINGS, name)
        async with opened(played, **settings) as (provider, server):
            try:
                async with aclosing(provider.stream(asking("Hi!", stream=stream))) as reply:
                    async for piece in reply:
                        if isinstance(piece, Finished):
                            heard.finished = piece
                        else:
                            heard.deltas.append(piece)
            except ProviderError as error:
                heard.error = error
            heard.calls = server.connections
        return heard

    return ask


type Ask = Callable[..., Any]


def stream_of(*chunks: Any, end: str = "data: [DONE]\n\n") -> Recording:
    body = "".join(f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n" for chunk in chunks)
    return Recording("200 OK", "text/event-stream", [(body + end).encode()])


def chunk(content: Any = None, finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": content, **more}, "finish_reason": finish_reason}]}


# What comes after a finish_reason


async def test_text_after_a_finish_reason_is_read(hear: Ask) -> None:
    heard = await hear("finish-reason-before-the-text")

    assert (heard.text, heard.finished.finish_reason) == ("One two three", "stop")


@pytest.mark.parametrize(
    ("name", "text"), [("finish-then-held-open-one-piece", "Hi"), ("finish-then-held-open-pieces", "Hi you")]
)
async def test_a_finished_reply_does_not_wait_for_the_connection_to_end(hear: Ask, name: str, text: str) -> None:
    async with asyncio.timeout(25):
        heard = await hear(name)

    assert (heard.text, heard.finished.finish_reason) == (text, "stop")


async def test_an_answer_that_is_told_as_it_comes_does_not_wait_either(open_provider: Open) -> None:
    said: list[Delta] = []
    async with (
        serving(recorded(RECORDINGS, "finish-then-held-open-one-piece")) as server,
        open_provider(base_url=f"http://127.0.0.1:{server.port}/v1", dialect="openai") as provider,
        asyncio.timeout(25),
    ):
        finished = await provider.answer(asking("Hi!"), said.extend)

    assert ([delta.content for delta in said], finished.finish_reason) == (["Hi"], "stop")


@pytest.mark.parametrize("mark", ["[DONE] ", " [DONE]", "[DONE]\t", "[done]", '"[DONE]"'])
async def test_the_end_is_understood_with_blanks_around_it(hear: Ask, mark: str) -> None:
    heard = await hear(stream_of(chunk("Hi"), chunk(None, "stop"), mark, end=""))

    assert (heard.text, heard.finished.finish_reason, heard.error) == ("Hi", "stop", None)


async def test_a_done_with_a_blank_behind_it_ends_a_reply(hear: Ask) -> None:
    heard = await hear("done-with-a-space")

    assert (heard.text, heard.error) == ("Hi", None)


@pytest.mark.parametrize("junk", ["garbage", "[]", "{", '{"choices": 7}', '{"choices": [{"delta": 5}]}'])
async def test_what_cannot_be_read_after_a_finish_is_ignored(hear: Ask, junk: str) -> None:
    heard = await hear(stream_of(chunk("Hi"), chunk(None, "stop"), junk, chunk("!"), end=""))

    assert (heard.text, heard.error) == ("Hi!", None)


async def test_a_second_finish_reason_counts_where_text_came_between(hear: Ask) -> None:
    heard = await hear(stream_of(chunk("a", "stop"), chunk(None, "length"), chunk("b"), chunk(None, "tool_calls")))

    assert (heard.text, heard.finished.finish_reason) == ("ab", "tool_calls")


async def test_the_bound_on_a_reply_holds_after_a_finish(hear: Ask) -> None:
    flood = stream_of(chunk("s"), chunk(None, "stop"), *[chunk("A" * 60_000)] * 40)
    heard = await hear(flood, max_reply_bytes=1_000_000)

    assert "more than 1000000 bytes" in str(heard.error)
    assert len(heard.text) < 1_100_000


async def test_a_last_event_without_its_blank_line_is_read(hear: Ask) -> None:
    heard = await hear(stream_of(chunk("Hi"), end=f"data: {json.dumps(chunk('!', 'stop'))}"))

    assert (heard.text, heard.error) == ("Hi!", None)


# Calls of tools


async def test_another_id_begins_another_call_though_the_index_is_the_same(hear: Ask) -> None:
    heard = await hear("two-calls-one-index")

    assert heard.tool_calls == [("call_a", "f", '{"p":"a"}'), ("call_b", "f", '{"p":"b"}')]


async def test_arguments_that_are_an_object_become_their_text(hear: Ask) -> None:
    heard = await hear("arguments-are-an-object")

    assert heard.tool_calls == [("c1", "look", '{"a":1}')]


@pytest.mark.parametrize(("name", "arguments"), [("call-with-empty-id", "{}"), ("call-without-id", '{"p":"a"}')])
async def test_a_call_without_an_id_gets_one(hear: Ask, name: str, arguments: str) -> None:
    heard = await hear(name)

    [(call_id, _, said)] = heard.tool_calls
    assert call_id.startswith("call_")
    assert said == arguments


async def test_a_whole_reply_has_its_calls_in_the_same_form(hear: Ask) -> None:
    calls = [{"function": {"name": "f", "arguments": {"x": 1}}}, {"id": "b", "function": {"name": "g"}}]
    body = {"choices": [{"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}]}
    heard = await hear(Recording("200 OK", "application/json", [json.dumps(body).encode()]), stream=False)

    assert [call[1:] for call in heard.tool_calls] == [("f", '{"x":1}'), ("g", "")]
    assert all(call[0] for call in heard.tool_calls)


# Content of other kinds


async def test_content_in_parts_is_text_and_reasoning(hear: Ask) -> None:
    heard = await hear("content-is-a-list")

    assert (heard.text, "".join(heard.field("reasoning"))) == ("Bonjour", "hm")


async def test_content_that_is_a_number_is_its_text(hear: Ask) -> None:
    assert (await hear("content-is-a-number")).text == "5"


async def test_the_older_function_call_is_passed_on_in_pieces(hear: Ask) -> None:
    heard = await hear("legacy-function-call")

    pieces = heard.field("function_call")
    assert "".join(piece["arguments"] for piece in pieces) == '{"p":1}'
    assert pieces[0]["name"] == "look"
    assert heard.finished.finish_reason == "function_call"


async def test_audio_is_passed_on_in_pieces(hear: Ask) -> None:
    heard = await hear("audio")

    assert heard.field("audio") == [{"id": "a1", "transcript": "Hi"}, {"data": "AAAA"}, {"expires_at": 5}]


@pytest.mark.parametrize(
    "ours",
    [
        {"parent_id": "01900000-0000-7000-8000-000000000000"},
        {"idempotency_key": "stolen", "request_hash": "h", "tool_call_id": "t"},
        {"id": "x", "turn_id": "y", "timestamp": "z", "head": "h", "name": 5, "finish_reason": "stop", "usage": {}},
        {"model": "m", "error": None, "a_field_of_tomorrow": 1},
    ],
)
async def test_a_reply_has_only_fields_that_are_its_own(hear: Ask, ours: dict[str, Any]) -> None:
    heard = await hear(stream_of(chunk("a"), chunk("b", **ours), chunk("c", "stop")))

    assert heard.text == "abc"
    assert [delta.fields for delta in heard.deltas] == [None] * 3


@pytest.mark.parametrize("value", ["[" * 300 + "]" * 300, "[" * 900 + "]" * 900, "9" * 5000, "1e999"])
async def test_a_field_without_measure_is_left_out(hear: Ask, value: str) -> None:
    deep = f'{{"choices":[{{"delta":{{"content":"x","reasoning_details":{value},"foo":{value}}}}}]}}'
    heard = await hear(stream_of(chunk("said "), deep, chunk("!", "stop")))

    assert (heard.text, heard.error) == ("said x!", None)
    assert heard.field("reasoning_details") == []


# The server's words


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("error-as-a-field", ContextTooLong, "exceeds the available context size"),
        ("error-object-at-the-top", ContextTooLong, "maximum context length is 4096"),
        ("error-in-an-array", ContextTooLong, "input token count"),
        ("error-in-detail", ContextTooLong, "greater than max_seq_len 8192"),
        ("too-large-413", ContextTooLong, "Limit 6000, Requested 9000"),
        ("xai-too-long", ContextTooLong, "maximum prompt length is 131072"),
    ],
)
async def test_a_context_that_is_too_long_is_recognized_and_asked_once(
    hear: Ask, name: str, error: type[ProviderError], said: str
) -> None:
    heard = await hear(name)

    assert type(heard.error) is error
    assert said in str(heard.error)
    assert heard.calls == 1


async def test_an_event_named_error_is_one_after_what_was_said(hear: Ask) -> None:
    heard = await hear("event-error")

    assert (heard.text, type(heard.error)) == ("Hel", ProviderUnavailable)
    assert "upstream overloaded" in str(heard.error)


BROKEN = "the disk of the server is full"


@pytest.mark.parametrize(
    "body",
    [
        f'{{"error": {{"message": "{BROKEN}", "type": "invalid_request_error"}}}}',
        f'{{"error": "{BROKEN}", "error_type": "validation"}}',
        f'[{{"error": {{"code": 400, "message": "{BROKEN}", "status": "INVALID_ARGUMENT"}}}}]',
        f'{{"detail": [{{"loc": ["body"], "msg": "{BROKEN}"}}], "status": 422}}',
        f'{{"object": "error", "message": "{BROKEN}", "code": 400}}',
        f'{{"type": "error", "error": {{"type": "invalid_request_error", "message": "{BROKEN}"}}}}',
        f'{{"success": false, "errors": [{{"code": 400, "message": "{BROKEN}"}}]}}',
        f'{{"message": "{BROKEN}", "__type": "ValidationException"}}',
        json.dumps({"error": {"code": 400, "message": "x", "metadata": {"raw": json.dumps({"message": BROKEN})}}}),
    ],
)
@pytest.mark.parametrize("framing", ["data: {}\n\n", "error: {}\n\n", "event: error\ndata: {}\n\n", "{}", "{}\n"])
async def test_an_error_in_a_stream_is_read_in_every_form(hear: Ask, framing: str, body: str) -> None:
    sent = framing.replace("{}", body).encode()
    heard = await hear(Recording("200 OK", "text/event-stream", [sent, 0.01]))

    assert type(heard.error) is RequestRefused
    assert BROKEN in str(heard.error)
    assert heard.calls == 1


@pytest.mark.parametrize(("status", "error"), [("400 Bad Request", RequestRefused), ("500 Oops", ProviderUnavailable)])
async def test_plain_text_of_a_refusal_is_shown(hear: Ask, status: str, error: type[ProviderError]) -> None:
    heard = await hear(Recording(status, "text/plain", [BROKEN.encode()]), retries=0)

    assert type(heard.error) is error
    assert BROKEN in str(heard.error)


async def test_plain_text_in_place_of_a_stream_is_shown(hear: Ask) -> None:
    heard = await hear(Recording("200 OK", "text/event-stream", [f"Internal error: {BROKEN}\n".encode()]), retries=0)

    assert BROKEN in str(heard.error)


async def test_an_error_that_is_not_framed_is_read_while_the_connection_is_held_open(hear: Ask) -> None:
    error = b'{\n  "error": {"message": "no such parameter",\n "type": "BadRequestError"}\n}\n'
    async with asyncio.timeout(25):
        heard = await hear(Recording("200 OK", "text/event-stream", [error, 30.0]))

    assert (type(heard.error), heard.calls) == (RequestRefused, 1)


@pytest.mark.parametrize(
    "words",
    [
        "prompt is too long: 213462 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
        "Input is too long for requested model.",
        "Too many input tokens. Max input tokens: 8192, request input token count: 9000",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
        "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
        "The input (516368 tokens) is longer than the model's context length (262144 tokens).",
        "Please reduce the length of the messages or completion.",
        "Prompt contains 200000 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
        "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.",
        "The decoder prompt (length 5951) is longer than the maximum model length of 4096.",
        "Input length (265330) exceeds model's maximum context length (262144).",
        "Invalid request: Your request exceeded model token limit: 8192",
        "Range of input length should be [1, 30720]",
        "invalid params, context window exceeds limit (2013)",
        "prompt too long; exceeded max context length by 100918 tokens",
        "Prompt exceeds max length",
        "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.",
        "prompt token count of 200000 exceeds the limit of 128000",
        "input is too large to process. increase the physical batch size",
        "The number of tokens to keep from the initial prompt is greater than the context length.",
        "Prompt has 32769 tokens, but the configured context size is 32768 tokens",
    ],
)
@pytest.mark.parametrize("status", ["400 Bad Request", "422 Unprocessable", "500 Oops"])
async def test_too_long_is_understood_in_the_words_of_many_servers(hear: Ask, words: str, status: str) -> None:
    body = json.dumps({"error": {"message": words, "type": "invalid_request_error"}}).encode()
    heard = await hear(Recording(status, "application/json", [body]))

    assert (type(heard.error), heard.calls) == (ContextTooLong, 1)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("400 Bad Request", "max_tokens is too large: 40000. This model supports at most 16384 completion tokens"),
        ("400 Bad Request", "the maximum value for `max_tokens` is less than the `context_window` for this model"),
        ("429 Too Many", "Throttling error: Too many tokens, please wait before trying again."),
        ("429 Too Many", "Rate limit reached for tokens per minute: Limit 6000, Used 5900, Requested 200"),
        ("413 Too Large", "Payload Too Large"),
        ("403 Forbidden", "Your plan has no access to a context length of 200000"),
    ],
)
async def test_other_limits_are_not_taken_for_that_of_the_context(hear: Ask, status: str, words: str) -> None:
    body = json.dumps({"error": {"message": words}}).encode()
    heard = await hear(Recording(status, "application/json", [body]), retries=0)

    assert type(heard.error) is not ContextTooLong


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error", "overloaded", None])
async def test_a_413_is_never_sent_again(hear: Ask, code: str | None) -> None:
    body = json.dumps({"error": {"message": "Request too large", "code": code}}).encode()
    heard = await hear(Recording("413 Payload Too Large", "application/json", [body]))

    assert (type(heard.error), heard.calls) == (RequestRefused, 1)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "bad field", "type": "invalid_request_error"},
        {"message": "bad field", "type": "BadRequestError"},
        {"message": "Input validation error: bad field", "error_type": "validation"},
        {"message": "bad field", "code": 400},
        {"message": "bad field", "status": "INVALID_ARGUMENT"},
        {"message": "no such model: x", "type": "not_found_error"},
        {"message": "invalid key", "type": "authentication_error"},
        {"message": "Your credit balance is too low to access the API.", "type": "invalid_request_error"},
    ],
)
async def test_a_refusal_in_a_stream_is_not_sent_three_times(hear: Ask, error: dict[str, Any]) -> None:
    heard = await hear(stream_of({"error": error}))

    assert heard.error is not None
    assert not isinstance(heard.error, ProviderUnavailable)
    assert heard.calls == 1


# Ends


async def test_a_whole_reply_needs_no_finish_reason(hear: Ask) -> None:
    heard = await hear("whole-reply-without-finish", stream=False)

    assert (heard.text, heard.finished.finish_reason) == ("whole", "stop")
    assert heard.finished.usage.output_tokens == 1


@pytest.mark.parametrize("is_set", [True, False])
async def test_done_alone_ends_a_good_reply_where_the_setting_says_so(hear: Ask, is_set: bool) -> None:
    heard = await hear("done-without-finish-reason", done_is_finish=is_set)

    assert heard.text == "Hello there"
    assert (heard.finished is not None, type(heard.error)) == (is_set, type(None) if is_set else ReplyCut)


async def test_done_alone_ends_no_empty_reply(hear: Ask) -> None:
    assert type((await hear(stream_of(), done_is_finish=True, retries=0)).error) is ReplyCut


@pytest.mark.parametrize(("name", "finish_reason"), [("empty-reply", "stop"), ("reasoning-only", "length")])
async def test_a_reply_may_be_empty(hear: Ask, name: str, finish_reason: str) -> None:
    heard = await hear(name)

    assert (heard.text, heard.finished.finish_reason) == ("", finish_reason)


# Thoughts in the text


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_think_tags_become_reasoning_where_the_setting_says_so(hear: Ask, size: int) -> None:
    said = "\n<think>\nShe is <b>sad</b>.</think>\n\nHello <think> you"
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    heard = await hear(stream_of(*map(chunk, pieces), chunk(None, "stop")), think_as_reasoning=True)

    assert (heard.text, "".join(heard.field("reasoning"))) == ("Hello <think> you", "\nShe is <b>sad</b>.")


@pytest.mark.parametrize("said", ["<think>a</think>b", "<thin", "a <think>b</think>"])
async def test_text_is_left_as_it_is_without_the_setting(hear: Ask, said: str) -> None:
    heard = await hear(stream_of(chunk(said), chunk(None, "stop")))

    assert heard.text == said


async def test_the_half_of_a_tag_is_text(hear: Ask) -> None:
    heard = await hear(stream_of(chunk(" <thi"), chunk(None, "stop")), think_as_reasoning=True)

    assert (heard.text, heard.field("reasoning")) == (" <thi", [])


# Money


@pytest.mark.parametrize("cost", ["1e400", "1e308", "-1000.0", "NaN", '"1.5"', "true", "100000"])
async def test_a_cost_without_measure_is_not_believed(hear: Ask, caplog: pytest.LogCaptureFixture, cost: str) -> None:
    counts = f'{{"prompt_tokens":20,"completion_tokens":5,"cost":{cost}}}'
    last = f'{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],"usage":{counts}}}'
    heard = await hear(stream_of(chunk("w"), last))

    assert heard.finished.usage.cost is None
    assert heard.finished.usage.input_tokens == 20
    assert "it is estimated" in caplog.text


@pytest.mark.parametrize("count", [(1 << 53) - 1, -1, "20", 1e300])
async def test_counts_without_measure_are_not_believed(
    hear: Ask, caplog: pytest.LogCaptureFixture, count: object
) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": 5}
    heard = await hear(stream_of(chunk("w"), chunk(None, "stop") | {"usage": usage}))

    assert heard.finished.usage is None
    assert "it is estimated" in caplog.text
