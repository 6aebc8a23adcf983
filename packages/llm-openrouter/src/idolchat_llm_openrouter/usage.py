"""The tokens and the cost that a server states.

Statements are not believed blindly: what is not finite, negative or beyond all measure is left out, so that core
estimates it instead of charging it to a budget.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import isfinite
from typing import Any

from idolchat_core import Usage

__all__ = ["generation_usage", "usage_of"]

logger = logging.getLogger(__name__)

MAX_COUNT = 100_000_000
"""More tokens than any model reads or writes: the largest context windows of 2026 have ten million."""

MAX_COST = 1000.0
"""More than one reply can cost: a full context window of the dearest models of 2026 costs less."""

MAX_DEPTH = 4
LIFTED = frozenset(
    {
        "prompt_tokens", "completion_tokens", "total_tokens", "cost",
        "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "is_estimate",
    }
)  # fmt: skip


PLAIN = frozenset({bool, int, str})


def usage_of(told: object) -> Usage | None:
    """Read the ``usage`` of a reply, other fields included; None where its counts cannot be used."""
    if not isinstance(told, dict):
        return None
    asked, said = _count(told.get("prompt_tokens")), _count(told.get("completion_tokens"))
    cost = _amount(told.get("cost"))
    if asked is None or said is None or cost is None:
        usable = {"prompt_tokens": asked, "completion_tokens": said, "cost": cost}
        refused = [name for name, value in usable.items() if value is None and told.get(name) is not None]
        if refused:
            logger.warning("a server's statement of usage cannot be used; it is estimated", extra={"fields": refused})
        if refused and (asked is None or said is None):
            return None
    prompt, completion = told.get("prompt_tokens_details"), told.get("completion_tokens_details")
    return Usage(
        input_tokens=asked or 0,
        output_tokens=said or 0,
        cached_tokens=_count(prompt.get("cached_tokens")) if isinstance(prompt, dict) else None,
        reasoning_tokens=_count(completion.get("reasoning_tokens")) if isinstance(completion, dict) else None,
        cost=cost,
        **_telling(told),
    )


def generation_usage(told: object) -> Usage | None:
    """Read the answer of ``GET /generation``; None where it states no counts.

    Native counts are the ones that are billed; the others are by a tokenizer of OpenRouter's own choice.
    """
    about = told.get("data") if isinstance(told, dict) else None
    if not isinstance(about, dict):
        return None
    asked, said = (
        next((count for name in names if (count := _count(about.get(name))) is not None), None)
        for names in (
            ("native_tokens_prompt", "tokens_prompt"),
            ("native_tokens_completion", "tokens_completion"),
        )
    )
    cost = _amount(about.get("total_cost"))
    if cost is None and asked is None and said is None:
        return None
    return Usage(input_tokens=asked or 0, output_tokens=said or 0, cost=cost)


def _telling(told: Mapping[str, Any], *, depth: int = 0) -> dict[str, Any]:
    """Reduce further fields to flags, texts, amounts and groups of them, and leave out what says nothing."""
    kept: dict[str, Any] = {}
    if told.keys() <= LIFTED:
        return kept
    for name, value in told.items():
        if value is None or name in LIFTED:
            continue
        if isinstance(value, dict):
            group = _telling(value, depth=depth + 1) if depth < MAX_DEPTH and any(value.values()) else None
            if group:
                kept[name] = group
        elif (value or not depth) and (type(value) in PLAIN or _is_finite(value)):
            kept[name] = value
    return kept


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and isfinite(value)


def _count(value: object) -> int | None:
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    is_count = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return int(value) if is_count else None  # type: ignore[call-overload]  # mypy does not follow is_count


def _amount(value: object) -> float | None:
    if type(value) is float and 0 <= value <= MAX_COST:
        return value
    is_amount = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_COST
    return float(value) if is_amount else None  # type: ignore[arg-type]
