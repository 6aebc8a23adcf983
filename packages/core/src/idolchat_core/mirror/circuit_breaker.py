"""Whether a mirror is to be had, and when to try again: once for all conversations, not once for each."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from random import uniform

from idolchat_core.mirror.tuning import MirrorTuning

__all__ = ["CircuitBreaker"]

log = logging.getLogger(__name__)


class CircuitBreaker:
    """The state of one mirror; logs one line when an outage begins and one when it ends."""

    def __init__(self, facts: Mapping[str, str], tuning: MirrorTuning) -> None:
        self._tuning = tuning
        self._facts = facts
        self._began_at = 0.0
        self._pause_s = tuning.first_pause_s
        self.error: str | None = None
        self.outages = 0
        self.retry_at = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the mirror cannot be reached."""
        return self.error is not None

    def failed(self, error: Exception) -> None:
        """Record that it cannot be reached; wait longer each time, and not all servers equally long."""
        if self.error is None:
            self.outages += 1
            self._began_at = time.monotonic()
            self._pause_s = self._tuning.first_pause_s
            facts = {**self._facts, "reason": str(error)}
            log.warning("a mirror cannot be reached; copies are made when it can", extra=facts)
        self.error = str(error)
        self.retry_at = time.monotonic() + self._pause_s * uniform(0.5, 1)
        self._pause_s = min(2 * self._pause_s, self._tuning.longest_pause_s)

    def is_over(self, *, pending: int) -> None:
        """Record that it can be reached again."""
        if self.error is not None:
            lasted_s = round(time.monotonic() - self._began_at, 1)
            log.warning(
                "a mirror can be reached again",
                extra={**self._facts, "outage_s": lasted_s, "pending": pending},
            )
            self.error = None
