"""The conversations that a consumer does not have as they are, and when it is each one's turn."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from math import inf
from uuid import UUID

from idolchat_core.mirror.throttle import ThrottleState, due_at
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.storage.changes import ChangeKind

__all__ = ["ReplicationQueue", "Work"]

MAX_HELD = 20_000
REPLY_SETTLES = 3
"""So many times ``settle_s`` a change waits at most, for a reply that is to be copied with it."""


@dataclass(slots=True)
class Work:
    """Changes of one conversation: since when (the loop's clock), the oldest ``updated_at`` among them, how much.

    ``is_new`` says that it was begun here, so that the mirror is not expected to hold it; ``awaits_reply``, that the
    newest change is a message whose reply may come soon, to be copied with it; ``kinds`` is what happened, where known.
    """

    since: float
    last_change: float
    changed_at: datetime | None
    new_bytes: int = 0
    not_before: float = 0.0
    failures: int = 0
    is_new: bool = False
    awaits_reply: bool = False
    kinds: tuple[ChangeKind, ...] = ()
    place: float = inf

    def join(self, other: Work) -> None:
        """Take up other changes of the same conversation."""
        if other.last_change >= self.last_change:
            self.awaits_reply = other.awaits_reply
        self.since = min(self.since, other.since)
        self.last_change = max(self.last_change, other.last_change)
        times = [time for time in (self.changed_at, other.changed_at) if time is not None]
        self.changed_at = min(times, default=None)
        self.new_bytes += other.new_bytes
        self.not_before = max(self.not_before, other.not_before)
        self.failures = max(self.failures, other.failures)
        self.is_new = self.is_new or other.is_new
        self.kinds = tuple(dict.fromkeys((*self.kinds, *other.kinds)))


class ReplicationQueue:
    """What waits and what is being copied; a conversation is copied by one at a time."""

    def __init__(self, tuning: MirrorTuning) -> None:
        self.held: OrderedDict[UUID, ThrottleState] = OrderedDict()
        self.hurries = False
        self._tuning = tuning
        self._waiting: dict[UUID, Work] = {}
        self._running: dict[UUID, Work] = {}
        self._places: list[tuple[float, UUID]] = []

    def __len__(self) -> int:
        return len(self._waiting.keys() | self._running.keys())

    def __contains__(self, conversation_id: UUID) -> bool:
        return conversation_id in self._waiting or conversation_id in self._running

    @property
    def failing(self) -> int:
        """Count those whose last attempt has failed."""
        return sum(work.failures > 0 for work in (*self._waiting.values(), *self._running.values()))

    @property
    def running(self) -> int:
        """Count those that are being copied."""
        return len(self._running)

    @property
    def oldest(self) -> float | None:
        """Since when the oldest change waits, by the loop's clock."""
        return min((work.since for work in (*self._waiting.values(), *self._running.values())), default=None)

    @property
    def oldest_change(self) -> datetime | None:
        """Tell the oldest ``updated_at`` of what waits."""
        works = (*self._waiting.values(), *self._running.values())
        return min((work.changed_at for work in works if work.changed_at is not None), default=None)

    def add(self, conversation_id: UUID, work: Work) -> None:
        """Take up a change."""
        waiting = self._waiting.get(conversation_id)
        if waiting is None:
            self._waiting[conversation_id] = work
            self._place(conversation_id)
        else:
            waiting.join(work)
            if work.new_bytes or not work.awaits_reply:  # it may be due earlier now
                self._place(conversation_id)

    def take(self, now: float) -> tuple[UUID, Work] | None:
        """Return one that is due, to be copied; ``end`` is to be called after it."""
        while self._places and self._places[0][0] <= now:
            _, conversation_id = heapq.heappop(self._places)
            work = self._waiting.get(conversation_id)
            if work is None or conversation_id in self._running:
                continue
            work.place = inf
            if self._due(conversation_id, work) > now:
                self._place(conversation_id)
                continue
            self._running[conversation_id] = self._waiting.pop(conversation_id)
            return conversation_id, work
        return None

    def next_due(self) -> float | None:
        """Return when to look again, by the loop's clock."""
        return self._places[0][0] if self._places else None

    def end(self, conversation_id: UUID, *, again: Work | None = None) -> None:
        """Learn that a copy has ended; ``again`` is what is still to be copied."""
        del self._running[conversation_id]
        if again is not None:
            self.add(conversation_id, again)
        if (waiting := self._waiting.get(conversation_id)) is not None:
            waiting.place = inf
            self._place(conversation_id)

    def hurry(self) -> None:
        """Let everything be due now."""
        for conversation_id, work in self._waiting.items():
            work.not_before = 0.0
            work.failures = 0
            self._place(conversation_id)

    def keep(self, conversation_id: UUID, held: ThrottleState) -> None:
        """Remember what the mirror holds, of the newest so many."""
        self.held[conversation_id] = held
        self.held.move_to_end(conversation_id)
        if len(self.held) > MAX_HELD:
            self.held.popitem(last=False)

    def _place(self, conversation_id: UUID) -> None:
        work = self._waiting[conversation_id]
        due = self._due(conversation_id, work)
        if due < work.place:
            work.place = due
            heapq.heappush(self._places, (due, conversation_id))

    def _due(self, conversation_id: UUID, work: Work) -> float:
        if self.hurries:
            return work.not_before
        due = due_at(
            self.held.get(conversation_id), self._tuning, last_change=work.last_change, new_bytes=work.new_bytes
        )
        longest = work.since + REPLY_SETTLES * self._tuning.settle_s
        settled = longest if work.awaits_reply else min(longest, work.last_change + self._tuning.settle_s)
        return max(work.not_before, settled, due)
