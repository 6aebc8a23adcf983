"""Replies that begin well and are spoilt, by name."""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any

from tests.support.mock_openrouter.faults import MESSAGES, failure
from tests.support.mock_openrouter.wire import (
    EVENT_STREAM,
    JSON,
    LAST_FRAME,
    chunked_head,
    dumps,
    event,
    frame,
    response,
)


class Action(Enum):
    """What a script does other than send bytes."""

    CUT = auto()
    """Close the connection."""
    RESET = auto()
    """Close it with a TCP reset."""
    STALL = auto()
    """Be silent for the seconds of the model name, then go on."""
    HANG = auto()
    """Be silent for ever."""
    PAUSE = auto()
    """Be silent for 20 ms, then go on."""
    HEARTBEAT = auto()
    """Send comments for ever, one each 20 ms."""
    FLOOD = auto()
    """Send the block that follows until 100 MB are sent, then go on behind it."""


type Send = bytes | Action

# Valid JSON of a wrong shape, where a chunk or a completion should stand.
WRONG: Sequence[Any] = (
    None, [], "text", 42, {"choices": None}, {"choices": {}}, {"choices": "text"}, {"choices": [None]},
    {"choices": [[]]}, {"choices": ["text"]}, {"choices": [{"delta": [], "message": []}]},
    {"choices": [{"delta": "text", "message": "text"}]},
    {"choices": [{"delta": {"content": True}, "message": {"content": True}}]},
    {"choices": [{"delta": {"content": {"a": 1}}, "message": {"content": {"a": 1}}}]},
    {"choices": [{"delta": {}, "message": {}, "finish_reason": 7}]},
)  # fmt: skip

FLOOD_BLOCK = 65_536
COMMENT = b": OPENROUTER PROCESSING\n\n"
ERROR = {"code": 502, "message": "Provider disconnected unexpectedly"}


def spoilt_stream(name: str, events: list[bytes], end: list[bytes], chunk: Callable[..., bytes]) -> list[Send] | None:
    """Make a stream with its fault; ``end`` are the finish, the usage and ``[DONE]``; ``chunk`` makes a chunk."""
    head, half = chunked_head(), len(events) // 2
    start: list[Send] = [head, *map(frame, [COMMENT, *events[:half]])]
    rest: list[Send] = [*map(frame, [*events[half:], *end]), LAST_FRAME]
    over = frame(b"data: [DONE]\n\n") + LAST_FRAME
    if name == "split":
        return _split(head, b"".join([COMMENT, *events, *end]).replace(b"\n", b"\r\n"))
    spoilt: dict[str, list[Send]] = {
        "err": [*start, frame(chunk({"content": ""}, "error", error=ERROR)), over],
        "errempty": [*start, frame(chunk(None, error=ERROR)), over],
        "errbare": [*start, frame(event({"error": ERROR})), LAST_FRAME],
        "errstr": [*start, frame(chunk({"content": ""}, "error", error=ERROR | {"code": "server_error"})), over],
        "errlimit": [*start, frame(event(failure(429, MESSAGES[429]))), LAST_FRAME],
        "errfinish": [*start, frame(chunk({"content": ""}, "error")), over],
        "errfirst": [head, frame(COMMENT), frame(chunk({"content": ""}, "error", error=ERROR)), over],
        "bad": [*start, frame(b'data: {"id":"gen-17, "choices":[{"delta"\n\n'), *rest],
        "stall": [*start, Action.STALL, *rest],
        "cut": [*start, Action.CUT],
        "reset": [*start, Action.RESET],
        "eof": [*start, LAST_FRAME],
        "nodone": [*start, *map(frame, [*events[half:], *end[:-1]]), LAST_FRAME],
        "nofinish": [*start, *map(frame, events[half:]), over],
        "noend": [*start, *map(frame, [*events[half:], end[0]]), Action.HANG],
        "chatter": [*start, *map(frame, [*events[half:], end[0]]), Action.HEARTBEAT],
        "linger": [*start, *map(frame, [*events[half:], *end]), Action.HANG],
        "tardy": [*start, *map(frame, [*events[half:], *end]), Action.PAUSE, LAST_FRAME],
        "mute": [head, frame(COMMENT), Action.HANG],
        "heartbeat": [head, Action.HEARTBEAT],
        "floodlines": [head, Action.FLOOD, frame(b"".join(events) * 16), Action.CUT],
        "floodcomments": [head, Action.FLOOD, frame(COMMENT * 2048), Action.CUT],
        "flood": [head, frame(b'data: {"id":"'), Action.FLOOD, frame(b"a" * FLOOD_BLOCK), Action.CUT],
        "plain": [chunked_head("text/plain"), *map(frame, [*events, *end]), LAST_FRAME],
        "empty": [response("200 OK", b"", EVENT_STREAM)],
        **{f"wrong{at}": [*start, frame(event(value)), *rest] for at, value in enumerate(WRONG)},
    }
    return spoilt.get(name) or _anywhere(name)


def spoilt_whole(name: str, reply: bytes, completion: dict[str, Any]) -> list[Send] | None:
    """Make a whole reply with its fault."""
    [choice] = completion["choices"]
    failed = choice | {"finish_reason": "error", "error": ERROR}
    errors: dict[str, int | str] = dict.fromkeys(("err", "errempty", "errbare", "errfirst"), 502)
    errors |= {"errstr": "server_error", "errlimit": 429}
    spoilt: dict[str, list[Send]] = {
        "cut": [reply[:-40], Action.CUT],
        "reset": [reply[:-40], Action.RESET],
        "stall": [Action.STALL, reply],
        **{fault: [_json(failure(code, "Provider returned error"))] for fault, code in errors.items()},
        "errfinish": [_json(completion | {"choices": [failed]})],
        "bad": [response("200 OK", dumps(completion)[:-40])],
        "eof": [response("200 OK", dumps(completion)[:-40])],
        "nofinish": [_json(completion | {"choices": [choice | {"finish_reason": None}]})],
        "flood": [chunked_head(JSON), Action.FLOOD, frame(b" " * FLOOD_BLOCK), Action.CUT],
        "empty": [response("200 OK", b"")],
        "mute": [Action.HANG],
        **{f"wrong{at}": [_json(value)] for at, value in enumerate(WRONG)},
    }
    return spoilt.get(name) or _anywhere(name)


def _anywhere(name: str) -> list[Send] | None:
    head = chunked_head("text/plain").replace(b"200 OK", b"500 Internal Server Error")
    spoilt: dict[str, list[Send]] = {
        "gone": [Action.CUT],
        "hang": [Action.HANG],
        "wall": [chunked_head("text/html"), frame(b"<html>"), Action.HANG],
        "flooderror": [head, Action.FLOOD, frame(b"a" * FLOOD_BLOCK), Action.CUT],
    }
    return spoilt.get(name)


def _json(value: Any) -> bytes:
    return response("200 OK", dumps(value))


def _split(head: bytes, body: bytes) -> list[Send]:
    """Cut so that every send starts with the tail of one HTTP chunk and ends inside the next one's head."""
    sizes = (1, 3, 7, 61, 2, 113)
    frames: list[bytes] = []
    position = 0
    while position < len(body):
        size = sizes[len(frames) % len(sizes)]
        frames.append(frame(body[position : position + size]))
        position += size
    blob = b"".join(frames) + LAST_FRAME
    return [head, *(blob[at : at + 37] for at in range(0, len(blob), 37))]
