"""Whether what a provider says that a completion took can be believed."""

from __future__ import annotations

import logging
import math

from idolchat_core.models import Usage

__all__ = ["MAX_COST", "MAX_TOKENS", "plausible_usage"]

log = logging.getLogger(__name__)

MAX_TOKENS = 100_000_000
"""Of a prompt or a reply: fifty times the largest context window there is."""
MAX_COST = 10_000.0
"""Of one completion, in the provider's currency: ten times the dearest model's whole window."""


def plausible_usage(usage: Usage | None, *, model: str | None) -> Usage | None:
    """Return a usage that can be believed; an estimate without a cost where only the cost cannot, else None.

    A budget that believed a cost of 1e308 would be spent until the month ends, and one below zero would be refilled.
    """
    if usage is None:
        return None
    counts = (usage.input_tokens, usage.output_tokens, usage.cached_tokens or 0, usage.reasoning_tokens or 0)
    if not 0 <= min(counts) <= max(counts) <= MAX_TOKENS:
        log.warning("the provider's count of tokens cannot be right and is estimated", extra={"model": model})
        return None
    if usage.cost is not None and not (math.isfinite(usage.cost) and 0 <= usage.cost <= MAX_COST):
        log.warning("the provider's cost cannot be right and is estimated", extra={"model": model})
        given = usage.model_dump(exclude={"cost", "is_estimate"}, exclude_unset=True)
        return Usage(**given, is_estimate=True)
    return usage
