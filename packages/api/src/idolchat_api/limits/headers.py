"""Limits as HTTP headers: draft-ietf-httpapi-ratelimit-headers-10 (2025-09), ``RateLimit`` and ``RateLimit-Policy``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from idolchat_core.rate_limits import Quota

__all__ = ["ratelimit_headers"]

_MICRO = 1_000_000
"""Quotas are whole numbers there, so costs are told in millionths of the provider's currency."""


def ratelimit_headers(quotas: Sequence[Quota]) -> list[tuple[bytes, bytes]]:
    """Return the headers for some quotas; none where there are no quotas."""
    if not quotas:
        return []
    policies = ", ".join(
        f'"{quota.name}";q={_whole(quota, quota.limit)};w={math.ceil(quota.window_s)}{_unit(quota)}' for quota in quotas
    )
    limits = ", ".join(
        f'"{quota.name}";r={_whole(quota, quota.remaining)};t={math.ceil(quota.reset_s)}' for quota in quotas
    )
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", limits.encode())]


def _whole(quota: Quota, amount: float) -> int:
    return math.floor(amount * _MICRO if quota.unit == "cost" else amount)


def _unit(quota: Quota) -> str:
    """Return the parameter for a unit other than requests."""
    return {"requests": "", "cost": ';qu="microcost"'}.get(quota.unit, f';qu="{quota.unit}"')
