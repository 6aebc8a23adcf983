"""What mirrors and observers have in common: each is told of every change, and none is forgotten by a crash."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import StrEnum, auto
from math import inf
from uuid import UUID

from idolchat_core.background_tasks import BackgroundTasks
from idolchat_core.mirror.outbox import Note, Outbox, Subject
from idolchat_core.mirror.queue import ReplicationQueue, Step
from idolchat_core.mirror.scanner import ChangeScanner
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.mirror.watermark import MARGIN, Watermark
from idolchat_core.mirror.worker import Delivery, ReplicationWorker
from idolchat_core.models import utc_now
from idolchat_core.storage.changes import ChangeKind
from idolchat_core.storage.contract import Storage

__all__ = ["ChangeConsumer", "MirrorMode"]

_SURELY_SCANNED = timedelta(seconds=30)
"""A change that is no older is newer than any watermark, though clocks differ by a little."""
_LOOKED_BACK_S = MARGIN.total_seconds()
"""Of so long ago the primary's list shows changes again; a mirror is known for longer, for it is spared copies."""


class MirrorMode(StrEnum):
    """What a process does for mirrors and observers.

    ``REPLICATE``: everything; one process on a data folder at a time, the server. ``PUSH``: copy its own changes to
    the mirrors. ``RECORD``: record what the replicating process would not find by itself; mirrors are opened only to
    restore. Observers are told by the server alone.
    """

    REPLICATE = auto()
    PUSH = auto()
    RECORD = auto()


class ChangeConsumer:
    """Owns the notes, the watermark and the queue of one mirror or observer.

    The replicating process notes no append: after a crash, what changed since the watermark is looked at again.
    """

    def __init__(
        self, primary: Storage, name: str, *, namespace: str, mode: MirrorMode, is_mirror: bool, tuning: MirrorTuning
    ) -> None:
        self.name = name
        self.outbox = self._new_outbox(primary, namespace)
        self._primary = primary
        self._mode = mode
        self._is_mirror = is_mirror
        self._tuning = tuning
        self._watermark = Watermark(primary, namespace)
        self._queue = ReplicationQueue(tuning, held_s=inf if is_mirror else 2 * _LOOKED_BACK_S)
        self._background = BackgroundTasks()

    def _connect(self, delivery: Delivery) -> None:
        """Describe how changes are passed on."""
        self._worker = ReplicationWorker(delivery, self._queue, self._tuning)
        self._scanner = self._new_scanner()

    def _new_outbox(self, primary: Storage, namespace: str) -> Outbox:
        return Outbox(primary, namespace)

    def _new_scanner(self) -> ChangeScanner:
        return ChangeScanner(
            self._primary,
            self._worker,
            self._queue,
            outbox=self.outbox,
            watermark=self._watermark,
            tuning=self._tuning,
        )

    def _look_first(self, *steps: Callable[[], Awaitable[None]]) -> None:
        """Describe what is to be done before each look at the primary's list."""
        self._scanner.first = steps

    @property
    def failing(self) -> Mapping[str, str]:
        """The background tasks that do not do their work now, each with what is wrong."""
        return self._background.failing

    def _text(self, history: datetime | str | None, kind: ChangeKind) -> str:
        """Return what a note says."""
        raise NotImplementedError

    async def note(self, conversation_id: UUID, *, history: datetime | str | None, kind: ChangeKind) -> Note | None:
        """Record a change before it is made; ``history`` is what it replaces or deletes. Raises ``StorageUnavailable``.

        ``settle`` is to be called after it, unless None is returned: there is nothing to note.
        """
        return await self.outbox.add(conversation_id, self._text(history, kind))

    def finds(self, changed_at: datetime) -> bool:
        """Whether an append of this time is known to be found after a crash: ``note_time`` has nothing to do."""
        return self._mode is MirrorMode.REPLICATE and self._watermark.is_before(changed_at)

    async def note_time(self, conversation_id: UUID, changed_at: datetime, *, kind: ChangeKind) -> Note | None:
        """See to it that an append of this time is found after a crash. Raises ``StorageUnavailable``."""
        if self._mode is MirrorMode.REPLICATE:
            await self._watermark.read()
            if changed_at <= self._watermark.reached:
                await self._watermark.go_back(changed_at)
            return None
        if self._is_mirror and changed_at > utc_now() - min(_SURELY_SCANNED, MARGIN):
            return None
        return await self.note(conversation_id, history=None, kind=kind)

    async def settle(self, subject: Subject, note: Note) -> None:
        """Record that a noted change has been made, or has failed."""
        self.outbox.done(subject, note)
        if self._mode is not MirrorMode.REPLICATE:
            await self.outbox.publish_done(note)

    def changed(
        self,
        subject: Subject,
        changed_at: datetime | None,
        *,
        kind: ChangeKind | None = None,
        new_bytes: int = 0,
        is_new: bool = False,
        awaits_reply: bool = False,
        step: Step | None = None,
    ) -> None:
        """Record that a conversation or record was changed, or begun, here."""
        if self._mode is MirrorMode.REPLICATE or (self._is_mirror and self._mode is MirrorMode.PUSH):
            kinds = () if kind is None else (kind,)
            self._worker.mark(subject, changed_at, 0.0, kinds, new_bytes, is_new, awaits_reply, step)

    async def look(self) -> None:
        """Scan now for what other processes have changed. Raises ``StorageUnavailable``."""
        await self._scanner.look()

    async def read_notes(self) -> None:
        """Queue what other processes have noted. Raises ``StorageUnavailable``."""
        await self._scanner.read_notes()

    async def has_passed_on(self, subject: Subject) -> None:
        """Wait until nothing of one conversation or record is pending."""
        await self._worker.has_passed_on(subject)

    async def has_copied(self) -> None:
        """Wait until nothing is pending."""
        await self._worker.has_copied()

    @asynccontextmanager
    async def _working(self) -> AsyncGenerator[None]:
        """Pass changes on until the end, and look for those of others where this is the process that does."""
        try:
            if self._mode is MirrorMode.REPLICATE:
                for subject in self.outbox:
                    self._worker.mark(subject, None)
                self._background.start(f"{self.name}: look for changes", self._scanner.run)
            async with self._worker.running(self._background):
                yield
        finally:
            await self._background.close()
