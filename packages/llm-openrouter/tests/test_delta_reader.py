"""Reading by what successive events have in common gives what parsing each of them gives."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from idolchat_core import Delta, Finished
from idolchat_llm_openrouter.chunk_decoder import ChunkDecoder
from idolchat_llm_openrouter.delta_reader import DeltaReader
from idolchat_llm_openrouter.errors import ErrorMapper
from idolchat_llm_openrouter.redaction import Redactor
from idolchat_llm_openrouter.sse import SSEParser

TRICKY = ["word ", '"', "\\", '","content":"x', '"content":"', "\n\n", "data: [DONE]", "🌸", "\u2028", "\ud83c", "%d"]
texts = st.text(max_size=6) | st.sampled_from(TRICKY)


@st.composite
def chunks(draw: st.DrawFn) -> dict[str, Any]:
    """A chunk as some server may send it: mostly like the others, sometimes with more, or with something else."""
    delta: dict[str, Any] = {"role": "assistant"} if draw(st.booleans()) else {}
    delta["content"] = draw(texts | st.sampled_from([None, 5, ["x"]]) if draw(st.integers(0, 9)) == 0 else texts)
    rarely = st.integers(0, 9)
    if draw(rarely) == 0:
        delta |= draw(
            st.sampled_from([{"reasoning": "hm"}, {"tool_calls": [{"index": 0, "id": "c"}]}, {"content ": "x"}])
        )
    choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": None}
    if draw(rarely) == 0:
        choice |= draw(st.sampled_from([{"finish_reason": "stop"}, {"error": {"code": 500}}, {"finish_reason": 7}]))
    chunk: dict[str, Any] = {"id": "gen-1", "model": "m", "choices": [choice] * (draw(rarely) != 0)}
    if draw(rarely) == 0:
        chunk["choices"] = [choice, {"index": 1, "delta": {"content": "other"}}]
    if draw(rarely) == 0:
        chunk |= draw(
            st.sampled_from(
                [{"usage": {"prompt_tokens": 3, "completion_tokens": 4}}, {"error": {"code": 502}}, {"created": 12}]
            )
        )
    return chunk


@st.composite
def bodies(draw: st.DrawFn) -> list[bytes]:
    """The pieces of a body: an event each, as they mostly are, or cut anywhere."""
    lenient = draw(st.booleans())
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")]))
    end = draw(st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"]))
    pieces = []
    for chunk in draw(st.lists(chunks(), max_size=12)):
        data = json.dumps(chunk, ensure_ascii=lenient, separators=separators).encode("utf-8", "replace")
        if draw(st.integers(0, 19)) == 0:
            data = draw(st.sampled_from([data[:-1], data + b"x", b"[DONE]", b"", data.replace(b"word", b"wo\trd")]))
        before = draw(st.sampled_from([b""] * 9 + [b": comment\n\n", b"event: x\n", b"\n", b"data:"]))
        pieces.append(before + b"data: " + data + end)
    body = b"".join(pieces)
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    if draw(st.booleans()) or not cuts:
        return pieces
    return [body[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True)]


type Told = tuple[list[Delta], str | None, bool, Finished]


def told(decoder: ChunkDecoder, deltas: list[Delta]) -> Told:
    failure = str(decoder.failure.error) if decoder.failure else None
    return deltas, failure, decoder.is_done, decoder.finished


def parsed(pieces: list[bytes]) -> Told:
    parser, decoder = SSEParser(), ChunkDecoder(ErrorMapper("server", Redactor(None)))
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += decoder.decode_chunks(parser.feed(piece))
        if decoder.is_done or decoder.failure:
            break
    return told(decoder, deltas)


def read(pieces: list[bytes]) -> Told:
    decoder = ChunkDecoder(ErrorMapper("server", Redactor(None)))
    return told(decoder, DeltaReader(decoder).deltas(pieces))


def event(text: bytes, more: bytes = b"") -> bytes:
    return b'data: {"model":"m","choices":[{"delta":{"content":%b%b},"finish_reason":null}]}\n\n' % (text, more)


@given(bodies())
@example([event(b'"a"'), event(b'"b"'), event(b'"c"'), event(b'"d","content":"e"'), event(b'"f"')])
@example([event(b'"a"'), event(b'"b"'), event(b'"\\ud83c"'), event(b'"\\udf38"'), event(b'"c"')])
@example([event(b'"a"'), event(b'"b"', b',"content":"x"'), event(b'"c"', b',"content":"x"'), event(b'"d"')])
@example([event(b'"a"'), event(b'"b"'), event(b'"\xff"'), event(b'"c\nd"'), event(b'"e"')])
@example([event(b'"a"'), event(b'"b"'), event(b'""'), event(b'"'), event(b'"e"')])
@example([event(b'"a"'), event(b'"b"'), event(b'"\\ud83c"'), event(b'"c"'), event(b'"d"')])
@example([event(b'"a"'), event(b'"b"'), b"data: x\n", event(b'"c"')])
@example([event(b'"a"'), event(b'"b"'), b"event: x", event(b'"c"'), event(b'"d"')])
@example([event(b'"a"'), event(b'"b"'), event(b'"c"')[:-1], b"\n", b"\n", event(b'"d"')])
@example([event(b'"a"'), event(b'"b"'), b": comment\r", event(b'"c"'), b"\n", event(b'"d"')])
def test_what_is_read_is_what_parsing_gives(pieces: list[bytes]) -> None:
    assert read(pieces) == parsed(pieces)


def test_some_servers_send_another_form_each_time() -> None:
    pieces = [event(b'"%d"' % number, b',"padding":"%d"' % number) for number in range(100)]

    assert read(pieces) == parsed(pieces)
    assert len(read(pieces)[0]) == 100
