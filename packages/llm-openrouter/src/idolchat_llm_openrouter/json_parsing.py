"""Parses what servers send, leniently where it can be used."""

from __future__ import annotations

import json
from typing import Any

import orjson

from idolchat_llm_openrouter.text import replace_lone_surrogates

__all__ = ["is_deeper", "parse_leniently", "values_in"]

MAX_DIGITS = 32


def parse_leniently(payload: bytes) -> Any:
    """Parse what orjson refuses: lone surrogates, NaN and infinite numbers (their names), endless integers (null).

    Surrogates are replaced but in the text of a delta, where the next chunk may join them. Raises ``ValueError``.
    """
    try:
        value = json.loads(payload, parse_constant=str, parse_int=_integer)
        text = replace_lone_surrogates(json.dumps(value, ensure_ascii=False))
        mended = json.loads(text, parse_constant=str)
    except RecursionError:
        raise ValueError("nested too deep") from None
    try:
        said = value["choices"][0]["delta"]["content"]
        if isinstance(said, str):
            mended["choices"][0]["delta"]["content"] = said
    except (LookupError, TypeError):
        pass  # it is no chunk
    return mended


def values_in(text: bytes) -> list[Any] | None:
    """Parse unframed text: one JSON value, or one on each line."""
    if not text.startswith((b"{", b"[")):
        return None
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        pass
    try:
        return [orjson.loads(line) for line in text.splitlines() if line.strip()] or None
    except orjson.JSONDecodeError:
        return None


def is_deeper(value: object, levels: int) -> bool:
    """Whether a JSON value is nested deeper than so many levels."""
    if isinstance(value, dict):
        return levels == 0 or any(is_deeper(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels == 0 or any(is_deeper(item, levels - 1) for item in value)
    return False


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_DIGITS else None
