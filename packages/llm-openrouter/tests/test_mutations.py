"""Whatever becomes of a stream on its way, reading it ends well or with an error, and no text is lost silently.

Streams in the form of many servers are mutated: events dropped, doubled and reordered, fields dropped, doubled, renamed
and given other types, bytes cut and put in; then they are split anywhere.
"""

import json
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.played_transport import playing
from tests.support.recordings import recording

from idolchat_core import Delta, Finished, ProviderError, read_settings
from idolchat_core.testing import asking
from idolchat_llm_openrouter import OpenRouterSettings
from idolchat_llm_openrouter.provider import open_openrouter

RECORDINGS = {
    path.stem: recording(path.read_bytes()).body for path in Path(__file__).parent.rglob("recordings/**/*.sse")
}
NAMES = sorted(RECORDINGS)
FIELDS = {
    "tool_calls", "function_call", "audio", "reasoning", "reasoning_content", "reasoning_details", "refusal", "images",
    "annotations", "citations", "thinking_blocks", "extra_content", "provider_specific_fields",
}  # fmt: skip
KEYS = [
    "content", "role", "delta", "index", "id", "finish_reason", "usage", "cost", "error", "choices", "tool_calls",
    "arguments", "function", "name", "parent_id", "message", "reasoning", "text", "type", "model", "detail",
]  # fmt: skip
SCALARS = [None, True, False, 0, 5, -1, 1.5, 1e300, 2**60, "", "x", "stop", "error", "[DONE]", "🌸", "\u2028", "data:"]
STARTS = [b"", b"data: ", b"error: ", b"event: error\ndata: ", b'data: {"choices":']
values = st.recursive(
    st.sampled_from(SCALARS), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner)
)
DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]


class Outcome:
    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.finished: list[Finished] = []
        self.error: ProviderError | None = None

    @property
    def text(self) -> str:
        return "".join(delta.content for delta in self.deltas)


async def outcome(pieces: list[bytes], *, in_callbacks: bool = False, **given_settings: Any) -> Outcome:
    found = Outcome()
    base = {"base_url": "http://server.example/v1", "model": "m", "retries": 0, **given_settings}
    options = read_settings(OpenRouterSettings, **base)
    async with open_openrouter(options, open_transport=playing(pieces)) as provider:
        try:
            if in_callbacks:
                found.finished.append(await provider.answer(asking("Hi!"), found.deltas.extend))
            else:
                async for piece in provider.stream(asking("Hi!")):
                    (found.finished if isinstance(piece, Finished) else found.deltas).append(piece)  # type: ignore[arg-type]
                    assert not (found.finished and isinstance(piece, Delta))
        except ProviderError as error:
            found.error = error
    return found


# Mutations


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All places in a JSON value: containers with a key."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from places(value[key])


def mutate_value(draw: st.DrawFn, value: Any) -> str:
    """Change a chunk and write it down; a doubled key stands twice in the text."""
    found = list(places(value))
    if not found:
        return json.dumps(draw(values))
    container, key = draw(st.sampled_from(found))
    kind = draw(st.sampled_from(["drop", "retype", "deep", "wrap", "repeat", "rename", "add", "double"]))
    if kind == "double" and isinstance(container, dict):
        return json.dumps(value, ensure_ascii=False).replace(f'"{key}":', f'"{key}": null, "{key}":', 1)
    if kind in ("rename", "add") and isinstance(container, dict):
        container[draw(st.sampled_from(KEYS))] = container.pop(key) if kind == "rename" else draw(values)
    elif kind in ("deep", "wrap", "repeat"):
        container[key] = {"deep": DEEP, "wrap": {"x": container[key]}, "repeat": [container[key]] * 2}[kind]
    elif kind == "retype":
        container[key] = draw(values)
    else:
        del container[key]
    return json.dumps(value, ensure_ascii=False)


def mutate_event(draw: st.DrawFn, event: bytes) -> bytes:
    before, mark, data = event.partition(b"{")
    try:
        value = json.loads(mark + data)
    except ValueError:
        cut = draw(st.integers(0, len(event)))
        return event[:cut] + draw(st.sampled_from([b"", b"x", b"\n", b"\xff", b"data: "])) + event[cut:]
    return before + mutate_value(draw, value).encode("utf-8", "replace")


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    body = RECORDINGS[draw(st.sampled_from(NAMES))]
    events = re.split(rb"(?:\r\n|\n){2}", body)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(events) - 1))
        kind = draw(st.sampled_from(["change", "change", "change", "drop", "double", "swap", "other", "truncate"]))
        if kind == "change":
            events[at] = mutate_event(draw, events[at])
        elif kind == "drop" and len(events) > 1:
            del events[at]
        elif kind == "double":
            events.insert(at, events[at])
        elif kind == "swap":
            other = draw(st.integers(0, len(events) - 1))
            events[at], events[other] = events[other], events[at]
        elif kind == "other":
            others = re.split(rb"(?:\r\n|\n){2}", RECORDINGS[draw(st.sampled_from(NAMES))])
            events.insert(at, draw(st.sampled_from(others)))
        elif kind == "truncate":
            events[-1] = events[-1][: draw(st.integers(0, len(events[-1])))]
    return b"\n\n".join(events)


def split(draw: st.DrawFn, body: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=6)))
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


# What has to hold


def texts_in(body: bytes) -> Iterator[str]:
    """The texts of all events up to ``[DONE]`` that have one in the plainest form, without the client's code."""
    for event in re.split(r"\n\n", body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")):
        lines = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        data = "\n".join(lines)
        if data.strip(' \t"').upper() == "[DONE]":
            return
        try:
            text = json.loads(data)["choices"][0]["delta"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError):
            continue
        if isinstance(text, str) and text:
            yield text


def assert_usable(found: Outcome) -> None:
    begun: set[int] = set()
    for delta in found.deltas:
        fields = delta.fields or {}
        assert delta.content or fields
        assert fields.keys() <= FIELDS
        json.dumps([delta.content, fields, delta.model, delta.completion_id], ensure_ascii=False).encode()
        for call in fields.get("tool_calls", ()):
            assert type(call["index"]) is int
            assert call["index"] in begun or (call["id"] and call["type"] and call["index"] == len(begun))
            begun.add(call["index"])
            assert "function" not in call or isinstance(call["function"]["arguments"], str)
    for finished in found.finished:
        written = json.dumps(finished.usage.model_dump() if finished.usage else None, allow_nan=False)
        assert finished.usage is None or 0 <= (finished.usage.cost or 0) <= 1000
        assert len(written) + len(finished.finish_reason) < 100_000


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
async def test_a_mutated_stream_ends_well_or_with_an_error_and_loses_no_text(data: st.DataObject) -> None:
    body = data.draw(streams())
    pieces = data.draw(st.composite(split)(body))
    found = await outcome(pieces, in_callbacks=data.draw(st.booleans()), done_is_finish=data.draw(st.booleans()))

    assert_usable(found)
    assert (len(found.finished) == 1) is (found.error is None)
    if found.error is None:
        rest = found.text
        for text in texts_in(body):
            assert text in rest
            rest = rest.partition(text)[2]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
async def test_a_stream_is_read_the_same_however_it_is_split(data: st.DataObject) -> None:
    body = RECORDINGS[data.draw(st.sampled_from(NAMES))]
    whole = await outcome([body], retries=0)
    parts = await outcome(data.draw(st.composite(split)(body)), in_callbacks=data.draw(st.booleans()))

    assert parts.text == whole.text
    assert str(parts.error) == str(whole.error)
    assert [end.finish_reason for end in parts.finished] == [end.finish_reason for end in whole.finished]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"data: ", b"error: ", b"event: error\ndata: ", b'data: {"choices":']),
)
async def test_no_bytes_are_an_internal_error(junk: bytes, before: bytes) -> None:
    found = await outcome([before + junk + b"\n\n"])

    assert_usable(found)
    assert (len(found.finished) == 1) is (found.error is None)


def event(delta: str) -> bytes:
    return b'data: {"choices":[{"delta":{%s},"finish_reason":null}]}\n\n' % delta.encode()


@pytest.mark.parametrize(
    "piece",
    [
        b"no field at all\n",
        b'{"not": "framed"}\n',
        b"data: x\n",
        b"event: error\n",
        b": comment\n",
        event('"tool_calls":[{"id":"%d","function":{"name":"f","arguments":"{}"}}]'),
        event('"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]'),
        b'data: {"id":"%d","choices":[],"usage":{"prompt_tokens":1,"x%d":1}}\n\n',
        b'data: {"choices":[{"delta":{"reasoning_details":5,"name":"x"}}]}\n\n',
    ],
)
async def test_memory_is_bounded_however_a_server_goes_on(piece: bytes) -> None:
    def pieces() -> list[bytes]:
        return [b"".join(piece.replace(b"%d", b"%d" % (at * 500 + n)) for n in range(500)) for at in range(200)]

    sent = pieces()
    size = sum(map(len, sent))
    tracemalloc.start()
    try:
        found = await outcome(sent, in_callbacks=True, max_reply_bytes=4_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found.error is not None
    assert peak < 3 * max(size, 4_000_000)
