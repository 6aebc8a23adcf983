"""HTTP/1.1 responses and server-sent events, as bytes."""

import json
from typing import Any

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


def dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def response(status: str, body: bytes, content_type: str = JSON, extra: str = "") -> bytes:
    """Make a response with a length; ``extra`` are further header lines, each with its CRLF."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def chunked_head(content_type: str = EVENT_STREAM) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncache-control: no-cache\r\n"
        "x-generation-id: gen-1700000000-mock\r\ntransfer-encoding: chunked\r\n\r\n"
    ).encode()


def frame(data: bytes) -> bytes:
    """Make one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_FRAME = b"0\r\n\r\n"


def event(value: Any) -> bytes:
    return b"data: " + dumps(value) + b"\n\n"
