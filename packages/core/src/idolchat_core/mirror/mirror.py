"""Everything that stands between a primary and one mirror."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from enum import StrEnum, auto
from uuid import UUID

from idolchat_core.errors import StorageError
from idolchat_core.mirror.connection import MirrorConnection
from idolchat_core.mirror.inventory import Inventory
from idolchat_core.mirror.outbox import Outbox
from idolchat_core.mirror.queue import ReplicationQueue
from idolchat_core.mirror.replicator import Replicator
from idolchat_core.mirror.scanner import ChangeScanner
from idolchat_core.mirror.status import MirrorState
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.mirror.watermark import Watermark
from idolchat_core.mirror.worker import ReplicationWorker
from idolchat_core.plugins.registry import Factory
from idolchat_core.storage.contract import Storage

__all__ = ["Mirror", "MirrorMode"]


class MirrorMode(StrEnum):
    """What a process does for the mirrors.

    ``REPLICATE``: everything; one process on a data folder at a time, the server. ``PUSH``: copy its own changes.
    ``RECORD``: record what the replicating process would not find by itself; mirrors are opened only to restore.
    """

    REPLICATE = auto()
    PUSH = auto()
    RECORD = auto()


class Mirror:
    """One mirror of a primary."""

    def __init__(
        self, primary: Storage, name: str, factory: Factory[Storage], *, mode: MirrorMode, tuning: MirrorTuning
    ) -> None:
        self.name = name
        self.connection = MirrorConnection(name, factory, tuning)
        self.outbox = Outbox(primary, name)
        self.inventory = Inventory(primary, name)
        self._mode = mode
        self._watermark = Watermark(primary, name)
        self._queue = ReplicationQueue(tuning)
        self._replicator = Replicator(
            primary,
            self.connection,
            outbox=self.outbox,
            inventory=self.inventory,
            pending=self._queue,
            tuning=tuning,
        )
        self._worker = ReplicationWorker(self.connection, self._replicator, self._queue, tuning)
        self._scanner = ChangeScanner(
            primary,
            self._worker,
            self._queue,
            connection=self.connection,
            outbox=self.outbox,
            watermark=self._watermark,
            inventory=self.inventory,
            tuning=tuning,
        )

    @property
    def state(self) -> MirrorState:
        """Tell how far it is behind."""
        oldest, tally = self._queue.oldest, self._replicator.tally
        return MirrorState(
            name=self.name,
            pending=len(self._queue),
            lag_s=0.0 if oldest is None else round(max(0.0, time.monotonic() - oldest), 3),
            conflicts=len(self._replicator.conflicts),
            uploads=tally.uploads,
            uploaded_bytes=tally.uploaded_bytes,
            deletions=tally.deletions,
            failures=tally.failures,
            error=self._worker.breaker.error,
        )

    def will_notice(self, changed_at: datetime) -> bool:
        """Tell whether a change of this time is found after a crash; else ``go_back`` is to be called before it."""
        return self._mode is not MirrorMode.REPLICATE or changed_at > self._watermark.reached

    async def go_back(self, changed_at: datetime) -> None:
        """See to it that a change of this time is found after a crash. Raises ``StorageUnavailable``."""
        await self._watermark.go_back(changed_at)

    def changed(
        self,
        conversation_id: UUID,
        changed_at: datetime | None,
        *,
        new_bytes: int = 0,
        is_new: bool = False,
        awaits_reply: bool = False,
    ) -> None:
        """Learn that a conversation was changed, or begun, here."""
        if self._mode is not MirrorMode.RECORD:
            self._worker.mark(
                conversation_id, changed_at, new_bytes=new_bytes, is_new=is_new, awaits_reply=awaits_reply
            )

    def report(self, error: StorageError) -> None:
        """Learn that somebody who needs it could not reach it."""
        self._worker.report(error)

    async def has_copied(self) -> None:
        """Wait until nothing is pending."""
        await self._worker.has_copied()

    async def ask(self, *, within_s: float) -> Storage:
        """Give the mirror's storage. Raises ``StorageUnavailable``."""
        await self.connection.opened(within_s=within_s)
        return self.connection.get()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Do what the mode says until the end. Raises ``ConfigurationError``, ``StorageUnavailable`` of the primary."""
        await self.inventory.read()
        await self.outbox.read()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.connection.held_open(at_once=self._mode is not MirrorMode.RECORD))
            if self._mode is not MirrorMode.RECORD:
                try:
                    self.connection.get()
                except StorageError as error:
                    self._worker.breaker.failed(error)
                await stack.enter_async_context(self._worker.running())
            if self._mode is MirrorMode.REPLICATE:
                await self._watermark.read()
                for conversation_id in self.outbox:
                    self._worker.mark(conversation_id, None)
                await stack.enter_async_context(_background(self._scanner))
            yield


@asynccontextmanager
async def _background(scanner: ChangeScanner) -> AsyncGenerator[None]:
    task = asyncio.create_task(scanner.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
