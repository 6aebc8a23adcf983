"""The commonest chunk, which holds text and nothing else."""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["plain_text", "text_in"]


def text_in(payload: bytes) -> str | None:
    """Return the text of a chunk that holds nothing else; None for any other, and for what is no JSON."""
    try:
        return plain_text(orjson.loads(payload))
    except orjson.JSONDecodeError:
        return None


def plain_text(chunk: Any) -> str | None:
    """Return the text of the commonest chunk, which holds nothing else; None for any other."""
    try:
        [choice] = chunk["choices"]
        said = choice["delta"]
        text = said["content"]
        says_more = choice["finish_reason"] or len(said) > 1 + ("role" in said)
        # Of `in` and `get`, the first is no call, and this is asked of each chunk.
        says_more = says_more or ("error" in choice and choice["error"]) or ("usage" in choice and choice["usage"])
        says_more = says_more or ("usage" in chunk and chunk["usage"]) or ("error" in chunk and chunk["error"])
    except (AttributeError, LookupError, TypeError, ValueError):
        return None
    return None if says_more or type(text) is not str else text
