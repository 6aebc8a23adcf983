"""Turns that are over, kept for a while so that they can be read again."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from uuid import UUID

from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.turns.runner import TurnRun

__all__ = ["FinishedTurns"]


class FinishedTurns:
    """The newest finished turns, no older than ``kept_s`` seconds and together no larger than ``max_bytes``."""

    def __init__(self, *, kept_s: float, max_bytes: int) -> None:
        self._kept_s = kept_s
        self._max_bytes = max_bytes
        self._runs: OrderedDict[int, tuple[TurnRun, float, int]] = OrderedDict()  # by the number of the id
        self._bytes = 0

    def get(self, turn_id: UUID) -> TurnRun | None:
        """Find a turn."""
        kept = self._runs.get(turn_id.int)
        return kept[0] if kept else None

    def newest(self, *, max_bytes: int) -> Iterator[LiveTurn]:
        """Yield the newest, together no larger than ``max_bytes``."""
        for run, _, size_bytes in reversed(self._runs.values()):
            max_bytes -= size_bytes
            if max_bytes < 0:
                return
            yield run.live

    def add(self, run: TurnRun) -> None:
        """Keep a turn that has just ended."""
        run.rest()
        size_bytes = run.size_bytes
        self._runs[run.live.turn_id.int] = (run, time.monotonic() + self._kept_s, size_bytes)
        self._bytes += size_bytes
        self.sweep()

    def sweep(self) -> None:
        """Release what is too old or too much."""
        now = time.monotonic()
        while self._runs:
            number, (_, until, _) = next(iter(self._runs.items()))
            if until > now and self._bytes <= self._max_bytes:
                return
            self._forget(number)

    def forget_conversation(self, conversation_id: UUID) -> None:
        """Release all turns of a conversation."""
        for number in [n for n, (run, _, _) in self._runs.items() if run.conversation_id == conversation_id]:
            self._forget(number)

    def _forget(self, number: int) -> None:
        _, _, size_bytes = self._runs.pop(number)
        self._bytes -= size_bytes
