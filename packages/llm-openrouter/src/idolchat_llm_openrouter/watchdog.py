"""Ends a wait for the next piece of a reply that takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter

from idolchat_llm_openrouter.faults import Fault, Faults

__all__ = ["Limits", "Watchdog"]


REPLY_SETTING = "IDOLCHAT_OPENROUTER_REPLY_TIMEOUT_S"
FIRST_TOKEN_SETTING = "IDOLCHAT_OPENROUTER_FIRST_TOKEN_TIMEOUT_S"  # noqa: S105  # of another kind
TOKEN_SETTING = "IDOLCHAT_OPENROUTER_TOKEN_TIMEOUT_S"  # noqa: S105

type End = tuple[float, Fault]
"""A time of the event loop, and what has gone wrong when it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a reply may take; ``deadline`` and ``first_token_by`` are times of the event loop.

    Comments show that a connection lives, so silence is measured from the last byte; but they do not make a reply,
    so without a token a wait ends after ``first_token_s`` whatever else comes.
    """

    reply_s: float
    first_token_s: float
    token_s: float
    deadline: float
    first_token_by: float

    def whole(self, faults: Faults) -> End:
        """Tell when the reply has taken too long."""
        return self.deadline, faults.too_slow(self.reply_s, REPLY_SETTING)

    def first_token(self, faults: Faults, *, by: float | None = None) -> End:
        """Tell when it has gone without a token for too long."""
        return by or self.first_token_by, faults.silent(self.first_token_s, FIRST_TOKEN_SETTING)

    def silence(self, faults: Faults, *, since: float) -> End:
        """Tell when it has been silent for too long."""
        return since + self.token_s, faults.silent(self.token_s, TOKEN_SETTING)


class Watchdog:
    """One timer for a whole reply: setting one for each piece would cost more than parsing it.

    The reader says ``waiting`` before it waits for bytes and ``spoke`` when there was a token among them; from then
    until it waits again nothing is measured, so that a slow reader is not held against the server. When a limit
    passes, ``fault`` is set and ``stop_reading`` called.
    """

    def __init__(self, limits: Limits, faults: Faults, stop_reading: Callable[[], None]) -> None:
        self.fault: Fault | None = None
        self._limits = limits
        self._faults = faults
        self._stop_reading = stop_reading
        self._loop = asyncio.get_running_loop()
        self._has_begun = False
        self._silent_since = self._loop.time()
        self._no_token_until: float | None = limits.first_token_by
        self._timer = self._loop.call_at(min(limits.first_token_by, limits.deadline), self._look)

    def waiting(self) -> None:
        """Note that the reader waits for bytes."""
        self._silent_since = now = self._loop.time()
        if self._no_token_until is None:
            self._no_token_until = now + self._limits.first_token_s

    def spoke(self) -> None:
        """Note that a token has come."""
        self._no_token_until = None
        if not self._has_begun:
            self._has_begun = True
            self._again_in(self._limits.token_s)

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        when, fault = min(self._ends(), key=itemgetter(0))
        if now < when:
            self._again_in(min(when - now, self._limits.token_s))
        else:
            self.fault = fault
            self._stop_reading()

    def _ends(self) -> Iterator[End]:
        yield self._limits.whole(self._faults)
        if self._no_token_until is None:
            return
        yield self._limits.first_token(self._faults, by=self._no_token_until)
        if self._has_begun:
            yield self._limits.silence(self._faults, since=self._silent_since)

    def _again_in(self, wait_s: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(min(wait_s, self._limits.deadline - self._loop.time()), self._look)
