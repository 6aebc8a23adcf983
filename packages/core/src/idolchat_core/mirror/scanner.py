"""Finds what a consumer may lack though nobody told: after a crash, and what other processes have changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from idolchat_core.errors import StorageError
from idolchat_core.mirror.connection import MirrorFailed
from idolchat_core.mirror.outbox import Outbox
from idolchat_core.mirror.queue import ReplicationQueue
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.mirror.watermark import MARGIN, Watermark
from idolchat_core.mirror.worker import ReplicationWorker
from idolchat_core.models import ConversationSummary, utc_now
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.filters import ConversationFilter

__all__ = ["ChangeScanner"]

log = logging.getLogger(__name__)

PAGE_SIZE = 200
SHARE = 20
"""Looking takes no more than one part in so many of the time."""
_TICK = timedelta(microseconds=1)


class ChangeScanner:
    """Looks at the newest entries of the primary's list and at the outbox; one process a data folder does."""

    def __init__(
        self,
        primary: Storage,
        worker: ReplicationWorker,
        pending: ReplicationQueue,
        *,
        outbox: Outbox,
        watermark: Watermark,
        tuning: MirrorTuning,
    ) -> None:
        self._primary = primary
        self._worker = worker
        self._queue = pending
        self._outbox = outbox
        self._watermark = watermark
        self.first: Sequence[Callable[[], Awaitable[None]]] = ()
        self.pause_s = tuning.look_every_s

    async def run(self) -> None:
        """Scan at once, and then at intervals."""
        while True:
            began = time.monotonic()
            for step in (*self.first, self.look):
                try:
                    await step()
                except MirrorFailed as failed:
                    self._worker.report(failed.error)
                except StorageError as error:
                    log.info("changes cannot be looked for now", extra={"code": error.code})
            await asyncio.sleep(max(self.pause_s, SHARE * (time.monotonic() - began)))

    async def look(self) -> None:
        """Queue what is new, and move the watermark to where all is copied. Raises ``StorageUnavailable``."""
        await self._watermark.read()
        await self.read_notes()
        newest, until = datetime.min.replace(tzinfo=UTC), utc_now() - MARGIN
        async for summary in self._changed():
            newest = max(newest, summary.updated_at)
            held = self._queue.held.get(summary.id)
            if summary.id not in self._queue and (held is None or held.updated_at != summary.updated_at):
                age_s = max(0.0, (utc_now() - summary.updated_at).total_seconds())
                self._worker.mark(summary.id, summary.updated_at, age_s=age_s)
            await self._worker.has_room()
        oldest = self._queue.oldest_change
        await self._watermark.advance(min(newest, until, newest if oldest is None else oldest - _TICK))

    async def read_notes(self) -> None:
        """Queue what other processes have noted. Raises ``StorageUnavailable``."""
        for subject in await self._outbox.read():
            self._worker.mark(subject, None)

    async def _changed(self) -> AsyncIterator[ConversationSummary]:
        before: str | None = None
        while True:
            lately = ConversationFilter(since=self._watermark.reached + _TICK)
            page = await self._primary.list(lately, limit=PAGE_SIZE, before=before)
            for summary in page.data:
                yield summary
            before = page.next
            if before is None:
                return
