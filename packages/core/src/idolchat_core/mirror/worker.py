"""Passes on what has changed to one mirror or observer, in the background, for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from math import inf
from typing import Protocol

from idolchat_core.background_tasks import BackgroundTasks
from idolchat_core.errors import DocumentRefused, IdolchatError, StorageError, StorageUnavailable
from idolchat_core.mirror.circuit_breaker import CircuitBreaker
from idolchat_core.mirror.connection import MirrorFailed
from idolchat_core.mirror.outbox import Subject, about
from idolchat_core.mirror.queue import ReplicationQueue, Step, Work
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.storage.changes import ChangeKind
from idolchat_core.storage.records import RecordKey

__all__ = ["MAX_NOTICED", "Delivery", "ReplicationWorker", "Tally"]

log = logging.getLogger(__name__)

AT_ONCE = 4
TOGETHER_S = 0.02
"""What is due within so long begins together, so that turns that end at nearly one moment wake the worker once."""
CHECK_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 600.0
"""Between attempts with one conversation that the mirror refuses while it takes others."""
FAILURES_IN_A_ROW = 3
"""So many conversations that fail, though the mirror says that it is well, are taken for an outage."""
MAX_NOTICED = 2000
_CANNOT_BE_COPIED = (
    "a conversation cannot be copied, and is tried again",
    "a record cannot be copied, and is tried again",
)


class Tally:
    """What has been done since the start."""

    def __init__(self) -> None:
        self.uploads = 0
        self.uploaded_bytes = 0
        self.deletions = 0
        self.failures = 0


class Delivery(Protocol):
    """How changes reach a mirror or an observer; ``facts`` name it in logs."""

    tally: Tally
    facts: Mapping[str, str]

    async def bring(self, subject: Subject, work: Work) -> bool:
        """Deliver the newest state of a conversation; return whether the other side had a part in it.

        Raises ``MirrorFailed`` for faults of the other side, and ``StorageError`` of the primary.
        """

    async def check(self) -> None:
        """Return when the other side is well. Raises ``StorageUnavailable``."""


class ReplicationWorker:
    """Owns what is pending for one mirror or observer, and the tasks that pass it on."""

    def __init__(self, delivery: Delivery, pending: ReplicationQueue, tuning: MirrorTuning) -> None:
        self._delivery = delivery
        self._queue = pending
        self._breaker = CircuitBreaker(delivery.facts, tuning)
        self._tuning = tuning
        self._failing: set[Subject] = set()
        self._wake = asyncio.Event()
        self._sleeps_until = inf
        self._ended = asyncio.Condition()
        self._judging = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def breaker(self) -> CircuitBreaker:
        """Whether the mirror can be reached."""
        return self._breaker

    def mark(
        self,
        subject: Subject,
        changed_at: datetime | None,
        age_s: float = 0.0,
        kinds: tuple[ChangeKind, ...] = (),
        new_bytes: int = 0,
        is_new: bool = False,
        awaits_reply: bool = False,
        step: Step | None = None,
    ) -> None:
        """Record that a conversation has changed, ``age_s`` seconds ago; cheap, for it is part of every turn."""
        since = time.monotonic() - age_s
        work = Work(since, since, changed_at, new_bytes, 0.0, 0, is_new, awaits_reply, kinds, step)
        if self._queue.add(subject, work) < self._sleeps_until:
            self._wake.set()

    def report(self, error: IdolchatError) -> None:
        """Record that another task could not reach the mirror: an outage begins, if there is none."""
        if not self._breaker.is_on:
            self._breaker.failed(error)
            self._wake.set()

    async def has_room(self) -> None:
        """Wait until few enough conversations are pending for more to be looked for."""
        async with self._ended:
            await self._ended.wait_for(lambda: len(self._queue) < MAX_NOTICED)

    async def has_copied(self) -> None:
        """Wait until nothing is pending."""
        async with self._ended:
            await self._ended.wait_for(lambda: not len(self._queue))

    async def has_passed_on(self, subject: Subject) -> None:
        """Wait until nothing of one conversation or record is pending."""
        async with self._ended:
            await self._ended.wait_for(lambda: subject not in self._queue)

    @asynccontextmanager
    async def running(self, background: BackgroundTasks) -> AsyncGenerator[None]:
        """Deliver changes while the context is open; an end without an error waits some seconds for what is pending."""
        background.start(" ".join(("pass on to", *self._delivery.facts.values())), self._run)
        try:
            yield
            await self._flush()
        finally:
            await background.close()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _flush(self) -> None:
        self._queue.hurries = True
        self._queue.hurry()
        self._wake.set()
        try:
            async with asyncio.timeout(self._tuning.flush_s), self._ended:
                await self._ended.wait_for(lambda: self._breaker.is_on or not len(self._queue))
        except TimeoutError:
            log.info("changes are left for the next start", extra=self._delivery.facts)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = time.monotonic()
            if self._breaker.is_on:
                if self._breaker.retry_at <= now and not self._queue.running:
                    await self._try_again()
                await self._sleep(inf if self._queue.running else self._breaker.retry_at)
            else:
                while self._queue.running < AT_ONCE and (taken := self._queue.take(now)) is not None:
                    self._spawn(self._attempt(*taken))
                next_due = self._queue.next_due()
                await self._sleep(inf if next_due is None or self._queue.running == AT_ONCE else next_due)

    async def _sleep(self, until: float) -> None:
        self._sleeps_until = until if not self._breaker.is_on else -inf
        timer = None
        if until < inf:
            pause_s = max(TOGETHER_S, until - time.monotonic())
            timer = asyncio.get_running_loop().call_later(pause_s, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try_again(self) -> None:
        """See whether an outage is over: the mirror says that it is well, and takes one conversation."""
        try:
            await self._check()
        except StorageError as error:
            self._breaker.failed(error)
            return
        if len(self._failing) < FAILURES_IN_A_ROW or not len(self._queue):
            self._is_well()
        elif (taken := self._queue.take(time.monotonic())) is not None:
            await self._attempt(*taken)
        else:
            self._breaker.retry_at = self._queue.next_due() or time.monotonic() + CHECK_S

    async def _attempt(self, subject: Subject, work: Work) -> None:
        again: Work | None = work
        try:
            has_answered = await self._delivery.bring(subject, work)
            again = None
            if has_answered:
                self._is_well()
        except MirrorFailed as failed:
            self._put_off(subject, work, failed.error)
            if isinstance(failed.error, DocumentRefused):
                self._is_well()
            elif isinstance(failed.error, StorageUnavailable):
                await self._judge(subject, failed.error)
        except IdolchatError as error:
            self._put_off(subject, work, error)
        except Exception:  # a plugin's fault, whatever it is: other conversations go on
            log.exception("a change could not be passed on, by a fault of a plugin", extra=self._delivery.facts)
            self._put_off(subject, work, None)
        finally:
            self._queue.end(subject, again=again)
            next_due = self._queue.next_due()
            if self._breaker.is_on or (next_due is not None and next_due < self._sleeps_until):
                self._wake.set()
            async with self._ended:
                self._ended.notify_all()

    def _put_off(self, subject: Subject, work: Work, error: IdolchatError | None) -> None:
        """Delay it behind others; log once that it is refused, where the mirror itself is well."""
        self._delivery.tally.failures += 1
        pause_s = min(FIRST_PAUSE_S * 2**work.failures, LONGEST_PAUSE_S)
        work.failures = min(work.failures + 1, 30)
        work.not_before = time.monotonic() + pause_s
        if work.failures == 2 and not self._breaker.is_on:
            log.warning(
                _CANNOT_BE_COPIED[isinstance(subject, RecordKey)],
                extra={
                    **self._delivery.facts,
                    **about(subject),
                    "code": error.code if error else IdolchatError.code,
                    "reason": str(error or ""),
                },
            )

    async def _judge(self, subject: Subject, error: StorageUnavailable) -> None:
        """Ask the mirror whether it is well, to know if the fault is its own or that of one conversation."""
        async with self._judging:
            self._failing.add(subject)
            if self._breaker.is_on:
                self._breaker.failed(error)
                return
            try:
                await self._check()
            except StorageError as reason:
                self._breaker.failed(reason)
            else:
                if len(self._failing) >= FAILURES_IN_A_ROW:
                    self._breaker.failed(error)

    async def _check(self) -> None:
        try:
            async with asyncio.timeout(CHECK_S):
                await self._delivery.check()
        except TimeoutError as error:
            raise StorageUnavailable(f"no answer within {CHECK_S:g} seconds") from error

    def _is_well(self) -> None:
        self._failing.clear()
        if self._breaker.is_on:
            self._breaker.is_over(pending=len(self._queue))
            self._queue.hurry()
            self._wake.set()
