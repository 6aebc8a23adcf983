"""JSON text as clients send it."""

from __future__ import annotations

import re

__all__ = ["mended"]

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""A whole pair, or half of one, or any other escape: ``\\\\ud83d`` is a backslash and letters."""
_REPLACEMENT = rb"\ufffd"


def mended(json: bytes) -> bytes:
    """Replace each escaped half of a surrogate pair by U+FFFD.

    JavaScript's ``slice()`` cuts pairs in two, and its ``JSON.stringify`` writes the half as an escape (ECMA-262,
    section 25.5.2.3), which is no text (RFC 8259, section 8.2).
    """
    if b"\\ud" not in json and b"\\uD" not in json:
        return json
    return _ESCAPE.sub(lambda escape: _REPLACEMENT if escape[1] else escape[0], json)
