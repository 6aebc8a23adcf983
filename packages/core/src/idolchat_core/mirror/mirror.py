"""Everything that stands between a primary and one mirror."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from idolchat_core.errors import StorageError
from idolchat_core.mirror.connection import MirrorConnection
from idolchat_core.mirror.consumer import ChangeConsumer, MirrorMode
from idolchat_core.mirror.inventory import Inventory
from idolchat_core.mirror.replicator import Replicator
from idolchat_core.mirror.status import MirrorState
from idolchat_core.mirror.survey import MirrorSurvey
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.plugins.registry import Factory
from idolchat_core.storage.changes import ChangeKind
from idolchat_core.storage.contract import Storage

__all__ = ["Mirror", "MirrorMode"]


class Mirror(ChangeConsumer):
    """One mirror of a primary, with the records of some namespaces.

    Its notes hold the ``created_at`` of a history that it need not keep.
    """

    def __init__(
        self,
        primary: Storage,
        name: str,
        factory: Factory[Storage],
        *,
        records: Collection[str],
        mode: MirrorMode,
        tuning: MirrorTuning,
        connection: MirrorConnection | None = None,
    ) -> None:
        super().__init__(primary, name, namespace=f"mirror.{name}", mode=mode, is_mirror=True, tuning=tuning)
        self.connection = connection or MirrorConnection(name, factory, tuning)
        self.inventory = Inventory(primary, name, records)
        self._replicator = Replicator(
            primary,
            self.connection,
            outbox=self.outbox,
            inventory=self.inventory,
            pending=self._queue,
            tuning=tuning,
        )
        self._connect(self._replicator)
        survey = MirrorSurvey(
            self._worker,
            self._queue,
            connection=self.connection,
            outbox=self.outbox,
            inventory=self.inventory,
            tuning=tuning,
        )
        self._look_first(survey.survey, survey.fill)

    @property
    def state(self) -> MirrorState:
        """How far it is behind."""
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

    def _text(self, history: datetime | str | None, kind: ChangeKind) -> str:
        return history.isoformat() if isinstance(history, datetime) else history or ""

    def report(self, error: StorageError) -> None:
        """Record that a request could not reach the mirror."""
        self._worker.report(error)

    async def ask(self, *, within_s: float) -> Storage:
        """Return the mirror's storage. Raises ``StorageUnavailable``."""
        await self.connection.opened(within_s=within_s)
        return self.connection.get()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run the mode while it is open. Raises ``ConfigurationError``, ``StorageUnavailable`` of the primary."""
        await self.inventory.read()
        await self.outbox.read()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.connection.held_open(at_once=self._mode is not MirrorMode.RECORD))
            if self._mode is not MirrorMode.RECORD:
                try:
                    self.connection.get()
                except StorageError as error:
                    self._worker.breaker.failed(error)
                await stack.enter_async_context(self._working())
            yield
