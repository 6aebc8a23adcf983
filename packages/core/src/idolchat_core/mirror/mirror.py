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
from idolchat_core.mirror.connection import Door
from idolchat_core.mirror.inventory import Elsewhere
from idolchat_core.mirror.outbox import Outbox
from idolchat_core.mirror.queue import Pending
from idolchat_core.mirror.replicator import Carrier
from idolchat_core.mirror.scanner import Noticing
from idolchat_core.mirror.status import MirrorState
from idolchat_core.mirror.tuning import Pace
from idolchat_core.mirror.watermark import Progress
from idolchat_core.mirror.worker import Copier
from idolchat_core.plugins.registry import Factory
from idolchat_core.storage.contract import Storage

__all__ = ["MirrorLink", "MirrorMode"]


class MirrorMode(StrEnum):
    """What a process does for the mirrors.

    ``KEEP``: everything; one process on a data folder at a time, the server. ``COPY``: copy its own changes.
    ``NOTE``: note what the keeper would not find; the mirror is opened when something is to be restored from it.
    """

    KEEP = auto()
    COPY = auto()
    NOTE = auto()


class MirrorLink:
    """One mirror of a primary."""

    def __init__(self, primary: Storage, name: str, factory: Factory[Storage], *, mode: MirrorMode, pace: Pace) -> None:
        self.name = name
        self.door = Door(name, factory, pace)
        self.outbox = Outbox(primary, name)
        self.elsewhere = Elsewhere(primary, name)
        self._mode = mode
        self._progress = Progress(primary, name)
        self._pending = Pending(pace)
        self._carrier = Carrier(
            primary,
            self.door,
            outbox=self.outbox,
            elsewhere=self.elsewhere,
            pending=self._pending,
            pace=pace,
        )
        self._copier = Copier(self.door, self._carrier, self._pending, pace)
        self._noticing = Noticing(
            primary,
            self._copier,
            self._pending,
            door=self.door,
            outbox=self.outbox,
            progress=self._progress,
            elsewhere=self.elsewhere,
            pace=pace,
        )

    @property
    def state(self) -> MirrorState:
        """Tell how far it is behind."""
        oldest, tally = self._pending.oldest, self._carrier.tally
        return MirrorState(
            name=self.name,
            pending=len(self._pending),
            lag_s=0.0 if oldest is None else round(max(0.0, time.monotonic() - oldest), 3),
            conflicts=len(self._carrier.conflicts),
            uploads=tally.uploads,
            uploaded_bytes=tally.uploaded_bytes,
            deletions=tally.deletions,
            failures=tally.failures,
            error=self._copier.outage.error,
        )

    def will_notice(self, changed_at: datetime) -> bool:
        """Tell whether a change of this time is found after a crash; else ``go_back`` is to be called before it."""
        return self._mode is not MirrorMode.KEEP or changed_at > self._progress.reached

    async def go_back(self, changed_at: datetime) -> None:
        """See to it that a change of this time is found after a crash. Raises ``StorageUnavailable``."""
        await self._progress.go_back(changed_at)

    def changed(self, conversation_id: UUID, changed_at: datetime | None, *, new_bytes: int = 0) -> None:
        """Learn that a conversation was changed here."""
        if self._mode is not MirrorMode.NOTE:
            self._copier.mark(conversation_id, changed_at, new_bytes=new_bytes)

    async def has_copied(self) -> None:
        """Wait until nothing is pending."""
        await self._copier.has_copied()

    async def ask(self, *, within_s: float) -> Storage:
        """Give the mirror's storage. Raises ``StorageUnavailable``."""
        await self.door.opened(within_s=within_s)
        return self.door.get()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Do what the mode says until the end. Raises ``ConfigurationError``, ``StorageUnavailable`` of the primary."""
        await self.elsewhere.read()
        await self.outbox.read()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.door.held_open(at_once=self._mode is not MirrorMode.NOTE))
            if self._mode is not MirrorMode.NOTE:
                try:
                    self.door.get()
                except StorageError as error:
                    self._copier.outage.failed(error)
                await stack.enter_async_context(self._copier.running())
            if self._mode is MirrorMode.KEEP:
                await self._progress.read()
                for conversation_id in self.outbox:
                    self._copier.mark(conversation_id, None)
                await stack.enter_async_context(_background(self._noticing))
            yield


@asynccontextmanager
async def _background(noticing: Noticing) -> AsyncGenerator[None]:
    task = asyncio.create_task(noticing.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
