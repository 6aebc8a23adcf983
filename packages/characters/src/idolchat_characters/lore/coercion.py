"""Reads values of foreign JSON, which may be of another type than the field should be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["mapping", "number", "text", "truth", "whole", "words"]

_MOST = 1_000_000_000


def text(value: Any, default: str = "") -> str:
    """Read a text: numbers become text, anything else the default."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def number(value: Any, default: float) -> float:
    """Read a number, also one in quotes; anything else, NaN and infinities are the default."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return default
    if isinstance(value, int | float) and math.isfinite(value):
        return min(max(value, -_MOST), _MOST)
    return default


def whole[T: int | None](value: Any, default: T) -> int | T:
    """Read a whole number, cut towards zero; ``True`` is 1."""
    read = number(value, math.nan)
    return default if math.isnan(read) else int(read)


def truth[T: bool | None](value: Any, default: T) -> bool | T:
    """Read yes or no as JavaScript does; ``null`` and a missing value are the default."""
    return default if value is None else bool(value)


def words(value: Any) -> tuple[str, ...]:
    """Read a list of texts; one text is cut at its commas."""
    if isinstance(value, str):
        return tuple(part for piece in value.split(",") if (part := piece.strip()))
    return tuple(text(item) for item in value) if isinstance(value, list) else ()


def mapping(value: Any) -> Mapping[str, Any]:
    """Read an object; anything else is an empty one."""
    return value if isinstance(value, Mapping) else {}
