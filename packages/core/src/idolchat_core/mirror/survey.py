"""Whether a mirror still holds what it held; what it lacks is copied again."""

from __future__ import annotations

from idolchat_core.mirror.connection import MirrorConnection, of_mirror
from idolchat_core.mirror.inventory import Inventory
from idolchat_core.mirror.outbox import Outbox, Subject
from idolchat_core.mirror.queue import ReplicationQueue
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.mirror.worker import MAX_NOTICED, ReplicationWorker

__all__ = ["MirrorSurvey"]


class MirrorSurvey:
    """Asks a mirror what it holds, at the start and after each outage."""

    def __init__(
        self,
        worker: ReplicationWorker,
        pending: ReplicationQueue,
        *,
        connection: MirrorConnection,
        outbox: Outbox,
        inventory: Inventory,
        tuning: MirrorTuning,
    ) -> None:
        self._worker = worker
        self._queue = pending
        self._connection = connection
        self._outbox = outbox
        self._inventory = inventory
        self._tuning = tuning
        self._surveyed_after: int | None = None
        self._lacking: set[Subject] = set()
        self._sent: set[Subject] = set()
        self._is_identity_noted = True

    async def survey(self) -> None:
        """At the start and after an outage, see whether the mirror still holds what it held; else copy that again."""
        if self._inventory.is_known:
            await self._inventory.write()
        outages = self._worker.breaker.outages
        if outages == self._surveyed_after or self._worker.breaker.is_on:
            return
        await self._connection.opened(within_s=self._tuning.look_every_s)
        async with of_mirror():
            mirror = self._connection.get()
            is_same = await self._inventory.is_same(mirror)
        if not (is_same and self._inventory.is_known):
            self._lacking = await self._inventory.survey(mirror, self._outbox)
            async with of_mirror():
                await self._inventory.identify(mirror)
            self._queue.held.clear()
            self._is_identity_noted = False
        self._surveyed_after = outages

    async def fill(self) -> None:
        """Queue what the mirror lacks, a part at a time; when all is there, record which mirror it is."""
        for subject in list(self._lacking)[: max(0, MAX_NOTICED - len(self._queue))]:
            self._lacking.remove(subject)
            if subject not in self._queue.held:
                self._worker.mark(subject, None)
                self._sent.add(subject)
        self._sent = {subject for subject in self._sent if subject in self._queue}
        if not (self._lacking or self._sent or self._is_identity_noted):
            await self._inventory.note_identity()
            self._is_identity_noted = True
