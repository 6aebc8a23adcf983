"""When a failed call is made again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from idolchat_llm_openrouter.errors import CallFailed

__all__ = ["Retries"]

FIRST_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Retries:
    """At most ``limit`` more calls, none after a wait longer than ``max_wait_s``."""

    limit: int
    max_wait_s: float

    def wait_s(self, failed: int, failure: CallFailed) -> float | None:
        """Return the seconds to wait after the ``failed``-th failure, counted from 1; None to give up.

        What the server asks for is kept; else the wait doubles each time, and half of it is left to chance, so
        that many who failed together do not come back together.
        """
        if failed > self.limit or not failure.retryable:
            return None
        if failure.retry_after_s is not None:
            return failure.retry_after_s if failure.retry_after_s <= self.max_wait_s else None
        return min(FIRST_WAIT_S * (1 << failed - 1), self.max_wait_s) * random.uniform(0.5, 1)
