"""Looks for what any of several processes has changed in the storage that they share."""

from __future__ import annotations

import time
from collections import deque
from uuid import UUID

from idolchat_core.mirror.queue import ReplicationQueue
from idolchat_core.mirror.scanner import ChangeScanner
from idolchat_core.mirror.shared_outbox import SharedOutbox
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.mirror.watermark import Watermark
from idolchat_core.mirror.worker import ReplicationWorker
from idolchat_core.storage.changes import ChangeKind

__all__ = ["SharedScanner"]

LOOK_EVERY_S = 1.0
_CHANGED = (ChangeKind.CHANGED,)


class SharedScanner(ChangeScanner):
    """Reads the changes that the storage tells, from the place on that the mirror has reached."""

    def __init__(
        self, worker: ReplicationWorker, pending: ReplicationQueue, *, outbox: SharedOutbox, tuning: MirrorTuning
    ) -> None:
        unused = Watermark(outbox.shared, "")
        super().__init__(outbox.shared, worker, pending, outbox=outbox, watermark=unused, tuning=tuning)
        self.pause_s = min(LOOK_EVERY_S, tuning.look_every_s)
        self._changes = outbox
        self._since: str | None = None
        self._has_begun = False
        self._told: dict[UUID, str | None] = {}
        self._places: deque[tuple[float, str]] = deque()

    async def look(self) -> None:
        """Queue what has changed, and record up to where all is copied. Raises ``StorageUnavailable``."""
        if not self._has_begun:
            self._since, self._has_begun = await self._changes.read_place(), True
        await self.read_notes()
        await self._queue_changes()
        await self.advance()

    async def _queue_changes(self) -> None:
        """Queue each change once, though the storage tells it again while older transactions run."""
        told: dict[UUID, str | None] = {}
        since, following = self._since, self._since
        async for page in self._changes.shared.changes(since):
            for change in page.changes:
                is_known = self._told.get(change.conversation_id, "") == change.revision
                if since is not None:
                    told[change.conversation_id] = change.revision
                if change.revision is not None and not is_known:
                    # Of a mirror that was never copied to, it is seen first what it has.
                    self._worker.mark(change.conversation_id, None, kinds=_CHANGED if since is not None else ())
                    await self._worker.has_room()
            following = page.next
        self._told, self._since = told, following
        if following is not None and (told or since is None):
            self._places.append((time.monotonic(), following))

    async def advance(self) -> None:
        """Record up to where all is copied. Raises ``StorageUnavailable``."""
        oldest, reached = self._queue.oldest, None
        while self._places and (oldest is None or self._places[0][0] < oldest):
            reached = self._places.popleft()[1]
        if reached is not None:
            await self._changes.advance(reached)
