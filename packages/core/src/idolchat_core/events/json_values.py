"""What of a provider's value can be stored: JSON, finite, and not nested too deep to be read again."""

from __future__ import annotations

import math
from typing import Any, Final

__all__ = ["MAX_DEPTH", "MISSING", "plain_json", "plain_text"]

MAX_DEPTH = 128
"""Levels of lists and objects in one field; a stored message, which holds it, may have 190 (see ``document``)."""


class _Missing:
    """The type of ``MISSING``."""


MISSING: Final = _Missing()
"""In place of a value that cannot be stored."""


def plain_text(text: str) -> str:
    """Return a text as UTF-8 can hold it: half a surrogate pair is no character and becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def plain_json(value: Any, *, depth: int = MAX_DEPTH) -> Any:
    """Return a value as JSON can hold it, and ``MISSING`` for one that is nested deeper than ``depth``.

    A number that is not finite becomes None (RFC 8259, section 6), and so does what is no JSON type.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, int):
        return value if abs(value) < 2**63 else float(value) if abs(value) < 10**300 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, list | tuple | dict):
        return None
    if depth == 0:
        return MISSING
    if isinstance(value, dict):
        pairs = {plain_text(str(name)): plain_json(item, depth=depth - 1) for name, item in value.items()}
        return MISSING if any(item is MISSING for item in pairs.values()) else pairs
    items = [plain_json(item, depth=depth - 1) for item in value]
    return MISSING if any(item is MISSING for item in items) else items
