"""The parser gives the same events however a stream is cut, and ends lines where the standard does and nowhere else."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_llm_openrouter.sse import EventTooLong, SSEParser

FIELDS = ["data: ", "data:", "data", "da", ":", ": comment", "event: x", "id: 1", " ", '{"a": 1}', "[DONE]"]
LINE_ENDS = ["\n", "\n\n", "\r", "\r\n", "\r\n\r\n"]
CHARACTERS = ["\u2028", "\u2029", "\u0085", "\v", "\f", "\x1c", "\0", "你好", "🌸", "\ufeff"]
pieces_of_streams = st.sampled_from([*FIELDS, *LINE_ENDS, *CHARACTERS])
streams = st.lists(pieces_of_streams, max_size=30).map("".join).map(str.encode)


def events_of(stream: bytes) -> list[bytes]:
    """Read a whole stream as the standard words it, without a thought of speed."""
    events: list[bytes] = []
    data: list[bytes] = []
    *lines, _unfinished = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in lines:
        name, _, value = line.partition(b":")
        if not line and data:
            events.append(b"\n".join(data))
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    return events


def parsed(stream: bytes, cuts: list[int]) -> list[bytes]:
    parser = SSEParser()
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    parts = [stream[start:end] for start, end in itertools.pairwise(places)]
    return [event for part in parts for event in parser.feed(part)]


@given(streams, st.lists(st.integers(min_value=0), max_size=12))
def test_events_are_the_same_however_the_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    # A CR at the very end may be half of a CRLF, so the reference sees one line end there, as the parser does.
    assert parsed(stream, cuts) == events_of(stream)


@given(streams)
def test_a_stream_can_come_byte_by_byte(stream: bytes) -> None:
    assert parsed(stream, list(range(len(stream)))) == events_of(stream)


@given(st.binary(max_size=200), st.lists(st.integers(min_value=0), max_size=12))
def test_no_bytes_break_it(stream: bytes, cuts: list[int]) -> None:
    assert parsed(stream, cuts) == events_of(stream)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_each_line_end_ends_a_line(end: bytes) -> None:
    assert SSEParser().feed(b": hello" + end + b"data: one" + end + b"data: two" + end + end) == [b"one\ntwo"]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u0085", "\v", "\f", "\x1c", "\x1e"])
def test_no_other_character_ends_a_line(character: str) -> None:
    text = f"one{character}two".encode()

    assert SSEParser().feed(b"data: " + text + b"\n\n") == [text]


def test_an_event_is_given_with_the_line_that_ends_it() -> None:
    parser = SSEParser()

    assert [parser.feed(piece) for piece in (b"data: a", b"\n", b"\n", b"data: b\n\n")] == [[], [], [b"a"], [b"b"]]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert parsed(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [1, 2, 5]) == [b"a"]


def test_only_the_first_space_belongs_to_the_field() -> None:
    assert SSEParser().feed(b"data:  two\n\ndata:none\n\n") == [b" two", b"none"]


@pytest.mark.parametrize("piece", [b"x" * 64, b"data: x\n" * 8], ids=["one line", "many lines"])
def test_an_event_without_end_is_not_kept_beyond_the_limit(piece: bytes) -> None:
    parser = SSEParser(max_event_bytes=1024)

    def flood() -> None:
        for _ in range(2000):
            parser.feed(piece)

    with pytest.raises(EventTooLong):
        flood()


def test_an_event_may_have_as_many_bytes_as_the_limit() -> None:
    parser = SSEParser(max_event_bytes=1024)
    whole = b"data: " + b"x" * 1018

    assert parser.feed(whole) == []
    assert parser.feed(b"\n\n") == [b"x" * 1018]
    parser.feed(whole + b"x")
    with pytest.raises(EventTooLong):
        parser.feed(b"\n\n")


def test_many_events_are_no_long_event() -> None:
    parser = SSEParser(max_event_bytes=1024)

    assert sum(len(parser.feed(b"data: hello\n\n" * 50)) for _ in range(50)) == 2500
