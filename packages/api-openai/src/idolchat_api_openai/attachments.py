"""Turns that still run: a request that is sent again joins its own, another one waits for it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from uuid import UUID

from idolchat_core import LiveTurn

__all__ = ["Attachments"]

WITHIN_S = 60.0
MAX_KNOWN = 10_000


class Attachments:
    """The turns that were begun over ``/v1`` and may still run."""

    def __init__(self) -> None:
        self._turns: OrderedDict[Hashable, tuple[LiveTurn, float]] = OrderedDict()
        self._newest: OrderedDict[UUID, LiveTurn] = OrderedDict()

    def find(self, request: Hashable) -> LiveTurn | None:
        """Find the running turn that the same request has begun within the last minute."""
        turn, begun_at = self._turns.get(request, (None, 0.0))
        if turn is None or turn.is_over or time.monotonic() - begun_at > WITHIN_S:
            return None
        return turn

    def newest(self, conversation_id: UUID | None) -> LiveTurn | None:
        """Return the turn that was begun last in a conversation, where it still runs."""
        turn = self._newest.get(conversation_id) if conversation_id is not None else None
        return None if turn is None or turn.is_over else turn

    def add(self, request: Hashable | None, turn: LiveTurn) -> None:
        """Remember what a request has begun; None for one that cannot be told from others."""
        if request is not None:
            self._turns[request] = turn, time.monotonic()
            self._turns.move_to_end(request)
        self._newest[turn.conversation_id] = turn
        self._newest.move_to_end(turn.conversation_id)
        self._forget()

    def _forget(self) -> None:
        while self._turns:
            oldest, (turn, begun_at) = next(iter(self._turns.items()))
            if not (turn.is_over or len(self._turns) > MAX_KNOWN or time.monotonic() - begun_at > WITHIN_S):
                break
            del self._turns[oldest]
        while self._newest:
            conversation_id, newest = next(iter(self._newest.items()))
            if not newest.is_over and len(self._newest) <= MAX_KNOWN:
                break
            del self._newest[conversation_id]
