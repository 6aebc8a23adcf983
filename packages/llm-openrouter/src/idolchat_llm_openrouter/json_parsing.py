"""Parses what servers send, leniently where it can be used."""

from __future__ import annotations

import json
from typing import Any

from idolchat_llm_openrouter.text import replace_lone_surrogates

__all__ = ["is_deeper", "parse_leniently", "replace_surrogates_in"]

MAX_DIGITS = 32


def parse_leniently(payload: bytes) -> Any:
    """Parse what orjson refuses: lone surrogates, NaN and infinite numbers (their names), endless integers (null).

    Raises ``ValueError``.
    """
    try:
        return json.loads(payload, parse_constant=str, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deep") from None


def replace_surrogates_in(value: Any) -> Any:
    """Replace lone surrogates in all texts of a JSON value."""
    text = replace_lone_surrogates(json.dumps(value, ensure_ascii=False))
    return json.loads(text, parse_constant=str)


def is_deeper(value: object, levels: int) -> bool:
    """Whether a JSON value is nested deeper than so many levels."""
    if isinstance(value, dict):
        return levels == 0 or any(is_deeper(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels == 0 or any(is_deeper(item, levels - 1) for item in value)
    return False


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_DIGITS else None
