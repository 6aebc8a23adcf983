"""Limits on requests per minute, by user and by address."""

from __future__ import annotations

import time
from collections.abc import Sequence

from starlette.types import Scope

from idolchat_api.addresses import counted_address
from idolchat_api.auth.principal import ANYONE, NOBODY, Principal
from idolchat_api.settings.limits import LimitSettings
from idolchat_core.coordination.contract import Counters
from idolchat_core.errors import LimitReached
from idolchat_core.rate_limits import LeakyBuckets, Quota

__all__ = ["RequestRates", "address_of"]


def address_of(scope: Scope, principal: Principal) -> str | None:
    """Return the address that a request is counted by.

    None for this machine's own, and for a back end that acts for any user, whose address is not its users'.
    """
    client = scope.get("client")
    if not client or (principal.user_id is None and principal is not ANYONE and principal is not NOBODY):
        return None
    return counted_address(client[0])


class RequestRates:
    """Counts requests and WebSocket frames."""

    def __init__(self, settings: LimitSettings, counters: Counters) -> None:
        self._user = _bucket(counters, "user-requests", settings.user_requests_per_minute)
        self._address = _bucket(counters, "address-requests", settings.address_requests_per_minute)

    def take(self, principal: Principal, address: str | None) -> Sequence[Quota]:
        """Count a request and return the quotas that it is counted by. Raises ``LimitReached``."""
        counted = []
        if self._address is not None and address is not None:
            counted.append((self._address, address, "address"))
        if self._user is not None and principal.user_id is not None:
            counted.append((self._user, str(principal.user_id), "user"))
        if not counted:
            return ()
        now = time.monotonic()
        for bucket, key, whose in counted:
            wait_s = bucket.room_in_s(key, 1, now)
            if wait_s:
                raise LimitReached(
                    f"this {whose} has sent {bucket.limit:g} requests in a minute"
                    f" (IDOLCHAT_API_{whose.upper()}_REQUESTS_PER_MINUTE); send again in {max(wait_s, 1):.0f} s",
                    retry_after_s=wait_s,
                    quotas=[bucket.quota(key, now)],
                )
        for bucket, key, _ in counted:
            bucket.add(key, 1, now)
        return [bucket.quota(key, now) for bucket, key, _ in counted]


def _bucket(counters: Counters, name: str, limit: int) -> LeakyBuckets | None:
    return counters.buckets(name, unit="requests", limit=limit) if limit else None
