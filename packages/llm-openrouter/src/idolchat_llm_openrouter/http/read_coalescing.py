"""Reads very many streams less often, so that several deltas are handled at once."""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["ReadCoalescing"]

WAKE_UP_S = 100e-6
"""The approximate time to read one stream, hand its delta to the reader and send it on."""

LEAST_REST_S = 0.010
"""In a shorter pause no second delta arrives, so that it costs more than it saves."""

LONGEST_REST_S = 0.050
"""At 20 updates a second a reader sees no difference."""


class PausedStream(Protocol):
    """A stream that is not read for a while."""

    def go_on(self) -> None:
        """Resume reading."""


class ReadCoalescing:
    """Pauses streams after a read, all until the same moment.

    Once the streams together ask for more wake-ups than there is time for, their deltas wait in a queue anyway. Left
    in the kernel for as long as one round through all streams takes, those that come meanwhile are read at once,
    and told, encoded and sent together. With few streams nothing pauses.
    """

    __slots__ = ("_loop", "_paused", "streams")

    def __init__(self) -> None:
        self.streams = 0
        self._loop = asyncio.get_running_loop()
        self._paused: list[PausedStream] = []

    def pause_after_read(self, stream: PausedStream) -> bool:
        """Return whether the stream that was just read pauses; then its ``go_on`` is called later."""
        rest_s = self.streams * WAKE_UP_S
        if rest_s < LEAST_REST_S:
            return False
        if not self._paused:
            self._loop.call_later(min(rest_s, LONGEST_REST_S), self._go_on)
        self._paused.append(stream)
        return True

    def _go_on(self) -> None:
        paused, self._paused = self._paused, []
        for stream in paused:
            stream.go_on()
