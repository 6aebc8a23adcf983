"""How often streams are read when there are very many of them."""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["ReadCoalescing"]

WAKE_UP_S = 100e-6
"""About what it takes to read a stream, to tell its delta to a reader and to send it on."""

LEAST_REST_S = 0.010
"""A shorter rest would not let a second delta come, and costs more than it saves."""

LONGEST_REST_S = 0.050
"""No reader sees a text flow less evenly for it: 20 times a second."""


class PausedStream(Protocol):
    """What is not read for a while."""

    def go_on(self) -> None:
        """Be read again."""


class ReadCoalescing:
    """Lets streams rest after a read, all until the same moment.

    Once the streams together ask for more wake-ups than there is time for, their deltas wait in a queue anyway. Left
    in the kernel for as long as one round through all streams takes, those that come meanwhile are read at once,
    and told, encoded and sent together. With few streams nothing pause_after_read.
    """

    __slots__ = ("_loop", "_paused", "streams")

    def __init__(self) -> None:
        self.streams = 0
        self._loop = asyncio.get_running_loop()
        self._paused: list[PausedStream] = []

    def pause_after_read(self, stream: PausedStream) -> bool:
        """Tell whether a stream that was just read has a rest, after which it is told to go on."""
        rest_s = self.streams * WAKE_UP_S
        if rest_s < LEAST_REST_S:
            return False
        if not self._paused:
            self._loop.call_later(min(rest_s, LONGEST_REST_S), self._go_on)
        self._paused.append(stream)
        return True

    def _go_on(self) -> None:
        resting, self._paused = self._paused, []
        for stream in resting:
            stream.go_on()
