"""How much memory a value takes."""

from __future__ import annotations

from sys import getsizeof
from typing import Any

__all__ = ["memory_size"]


def memory_size(value: Any) -> int:
    """Add up the bytes of what JSON can hold, as if nothing of it were shared."""
    if type(value) is str:  # most are, and asking for the kinds below takes ten times as long
        return getsizeof(value)
    if isinstance(value, dict):
        return getsizeof(value) + sum(map(memory_size, value.values()))
    if isinstance(value, list | tuple):
        return getsizeof(value) + sum(map(memory_size, value))
    return getsizeof(value)
