"""The conversations and records that a consumer does not have as they are, and when it is each one's turn."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from math import inf

from idolchat_core.mirror.outbox import Subject
from idolchat_core.mirror.throttle import ThrottleState, due_at
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.storage.changes import ChangeKind

__all__ = ["ReplicationQueue", "Step", "Work"]

MAX_HELD, FEW_HELD = 20_000, 4096
"""Of some 400 bytes each: no more are held, and so many also when they are old."""
REPLY_SETTLES = 3
"""So many times ``settle_s`` a change waits at most, for a reply that is to be copied with it."""

type Step = tuple[str | None, str]
"""The revision that changes were made to, None for a conversation that they began, and the one that they led to."""


@dataclass(slots=True)
class Work:
    """Changes of one conversation or record: since when (the loop's clock), the oldest ``updated_at``, how much.

    ``is_new`` says that it was begun here, so that the mirror is not expected to hold it; ``awaits_reply``, that the
    newest change is a message whose reply may come soon, to be copied with it; ``kinds`` is what happened, where known.
    ``step`` is from where to where the changes led, where they are known to follow each other without another's.
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
    step: Step | None = None
    place: float = inf

    def join(self, other: Work) -> None:
        """Merge other changes of the same conversation into this."""
        if other.last_change >= self.last_change:
            self.awaits_reply, self.last_change = other.awaits_reply, other.last_change
        if other.since < self.since:
            self.since = other.since
        if self.changed_at is None or (other.changed_at is not None and other.changed_at < self.changed_at):
            self.changed_at = other.changed_at
        self.new_bytes += other.new_bytes
        if other.not_before > self.not_before:
            self.not_before = other.not_before
        if other.failures > self.failures:
            self.failures = other.failures
        self.is_new = self.is_new or other.is_new
        if other.kinds != self.kinds:
            self.kinds = tuple(dict.fromkeys((*self.kinds, *other.kinds)))
        before, after = self.step, other.step
        self.step = (before[0], after[1]) if before and after and before[1] == after[0] else None


class ReplicationQueue:
    """What waits and what is being copied; a conversation is copied by one at a time.

    ``held`` is what the other side is known to have; of much, what is older than ``held_s`` seconds is dropped.
    """

    def __init__(self, tuning: MirrorTuning, *, held_s: float = inf) -> None:
        self.held: OrderedDict[Subject, ThrottleState] = OrderedDict()
        self.hurries = False
        self._tuning = tuning
        self._held_s = held_s
        self._waiting: dict[Subject, Work] = {}
        self._running: dict[Subject, Work] = {}
        self._places: list[tuple[float, int, Subject]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._waiting.keys() | self._running.keys())

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._waiting or subject in self._running

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
        """Return the oldest ``updated_at`` of what waits; None where nothing does."""
        works = (*self._waiting.values(), *self._running.values())
        return min((work.changed_at for work in works if work.changed_at is not None), default=None)

    def add(self, subject: Subject, work: Work) -> float:
        """Add a change, merged with those of the same subject that wait, and return when the first of all is due."""
        waiting = self._waiting.get(subject)
        if waiting is None:
            self._waiting[subject] = work
            self._place(subject, work)
        else:
            waiting.join(work)
            if work.new_bytes or not work.awaits_reply:  # it may be due earlier now
                self._place(subject, waiting)
        return self._places[0][0] if self._places else inf

    def take(self, now: float) -> tuple[Subject, Work] | None:
        """Return one that is due, to be copied; ``end`` is to be called after it."""
        while self._places and self._places[0][0] <= now:
            _, _, subject = heapq.heappop(self._places)
            work = self._waiting.get(subject)
            if work is None or subject in self._running:
                continue
            work.place = inf
            if self._due(subject, work) > now:
                self._place(subject, work)
                continue
            self._running[subject] = self._waiting.pop(subject)
            return subject, work
        return None

    def next_due(self) -> float | None:
        """Return when to look again, by the loop's clock."""
        return self._places[0][0] if self._places else None

    def end(self, subject: Subject, *, again: Work | None = None) -> None:
        """Record that a copy has ended; ``again`` is what is still to be copied."""
        del self._running[subject]
        if again is not None:
            self.add(subject, again)
        if (waiting := self._waiting.get(subject)) is not None:
            waiting.place = inf
            self._place(subject, waiting)

    def hurry(self) -> None:
        """Make everything due now."""
        for subject, work in self._waiting.items():
            work.not_before = 0.0
            work.failures = 0
            self._place(subject, work)

    def keep(self, subject: Subject, held: ThrottleState) -> None:
        """Remember what the mirror holds, of the newest so many."""
        self.held[subject] = held
        self.held.move_to_end(subject)
        while len(self.held) > FEW_HELD and (
            len(self.held) > MAX_HELD or held.copied_at - self._oldest_held.copied_at > self._held_s
        ):
            self.held.popitem(last=False)

    @property
    def _oldest_held(self) -> ThrottleState:
        return next(iter(self.held.values()))

    def _place(self, subject: Subject, work: Work) -> None:
        due = self._due(subject, work)
        if due < work.place:
            work.place = due
            heapq.heappush(self._places, (due, next(self._numbers), subject))

    def _due(self, subject: Subject, work: Work) -> float:
        if self.hurries:
            return work.not_before
        tuning, last_change = self._tuning, work.last_change
        due = due_at(self.held.get(subject), tuning, last_change=last_change, new_bytes=work.new_bytes)
        longest = work.since + REPLY_SETTLES * tuning.settle_s
        settled = longest if work.awaits_reply else min(longest, last_change + tuning.settle_s)
        return max(work.not_before, settled, due)
