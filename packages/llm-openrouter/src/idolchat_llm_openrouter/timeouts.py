"""The time limits of one attempt."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from idolchat_llm_openrouter.errors import CallFailed, ErrorMapper
from idolchat_llm_openrouter.transport import Response

__all__ = ["AttemptTimer", "Limits"]


GRACE_S = 0.1
"""When a limit has passed, so long what waits in the socket may still be read: the process may have been stopped
(SIGSTOP, a laptop asleep) while the server went on."""

REPLY_SETTING = "IDOLCHAT_OPENROUTER_REPLY_TIMEOUT_S"
FIRST_TOKEN_SETTING = "IDOLCHAT_OPENROUTER_FIRST_TOKEN_TIMEOUT_S"  # noqa: S105  # of another kind
TOKEN_SETTING = "IDOLCHAT_OPENROUTER_TOKEN_TIMEOUT_S"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The time limits of a reply: as a whole, until its first token, and of silence after it.

    Comments show that a connection lives, so silence is measured from the last byte; but they do not make a reply,
    so without a token a wait ends after ``first_token_s`` whatever else comes.
    """

    reply_s: float
    first_token_s: float
    token_s: float


class AttemptTimer:
    """The one timer of an attempt; a timer for each piece would cost more than parsing it.

    It looks every ``token_s`` at least, which is soon enough for whatever begins in between. The reader says
    ``waiting`` before it waits for bytes and ``token_received`` when there was a token among them; from then until it
    waits
    again nothing is measured, so that a slow reader is not held against the server. When a limit passes, the response
    fails, and ``failure`` tells why.

    ``deadline``, a time of the event loop, holds for all attempts together.
    """

    def __init__(self, limits: Limits, errors: ErrorMapper, *, deadline: float, streams: bool) -> None:
        self._limits = limits
        self._errors = errors
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._silent_since = now = self._loop.time()
        self._first_token_by = now + limits.first_token_s
        self._no_token_until = self._first_token_by if streams else None
        self._has_begun = False
        self._passed: _End | None = None
        self._judged_at: float | None = None
        self._response: Response | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def until(self) -> float:
        """When the first limit passes if no token comes; a time of the event loop."""
        return self._deadline if self._no_token_until is None else min(self._deadline, self._no_token_until)

    def late(self) -> CallFailed:
        """Make the failure for a limit that passed at ``until``."""
        return self._failure_of(self._next_end())

    def failure(self) -> CallFailed | None:
        """Make the failure for the limit that ended the response; None if none did."""
        return self._failure_of(self._passed) if self._passed else None

    def watch(self, response: Response) -> None:
        """Start; ``response`` is interrupted when a limit passes."""
        self._response = response
        self._timer = self._loop.call_at(min(self.until, self._silent_since + self._limits.token_s), self._look)

    def expect(self, *, tokens: bool) -> None:
        """Apply the limits of a stream (``tokens``) or of a whole reply, when the other was asked for."""
        self._no_token_until = self._first_token_by if tokens else None
        self._look()

    def waiting(self) -> None:
        """The reader waits for bytes."""
        self._silent_since = now = self._loop.time()
        if self._no_token_until is None:
            self._no_token_until = now + self._limits.first_token_s

    def token_received(self) -> None:
        """A token arrived."""
        self._no_token_until = None
        self._has_begun = True

    def token_received_and_waiting(self) -> None:
        """A token arrived and the reader waits for more."""
        self._has_begun = True
        self._silent_since = now = self._loop.time()
        self._no_token_until = now + self._limits.first_token_s

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self.stop()
        now = self._loop.time()
        end = self._next_end()
        if now < end.when:
            self._timer = self._loop.call_at(min(end.when, now + self._limits.token_s), self._look)
        elif self._judged_at != end.when:
            self._judged_at = end.when
            self._timer = self._loop.call_later(GRACE_S, self._look)
        elif self._response is not None:
            self._passed = end
            self._response.interrupt("it took too long")

    def _next_end(self) -> _End:
        limits = self._limits
        ends = [_End(self._deadline, limits.reply_s, REPLY_SETTING)]
        if self._no_token_until is not None:
            ends.append(_End(self._no_token_until, limits.first_token_s, FIRST_TOKEN_SETTING))
            if self._has_begun:
                ends.append(_End(self._silent_since + limits.token_s, limits.token_s, TOKEN_SETTING))
        return min(ends)

    def _failure_of(self, end: _End) -> CallFailed:
        say = self._errors.too_slow if end.setting is REPLY_SETTING else self._errors.silent
        return say(end.limit_s, end.setting)


class _End(NamedTuple):
    """A limit: when it passes by the clock of the event loop, its length, and its setting."""

    when: float
    limit_s: float
    setting: str
