"""JSON on one line, whatever a client takes for the end of one."""

from __future__ import annotations

from idolchat_api_openai.encoding import json_bytes

__all__ = ["json_line", "one_line"]

_LINE_ENDS = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"})
"""What JSON allows in a text and many line readers take for the end of a line."""


def one_line(json: bytes) -> bytes:
    """Escape such characters."""
    return json if json.isascii() else json.decode().translate(_LINE_ENDS).encode()


def json_line(value: object) -> bytes:
    """Encode a value."""
    return one_line(json_bytes(value))
