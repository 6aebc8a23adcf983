"""Up to which time everything is known to have reached a consumer, so that a restart looks no further back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from idolchat_core.errors import StorageError
from idolchat_core.storage.contract import Storage

__all__ = ["MARGIN", "Watermark"]

MARGIN = timedelta(seconds=60)
"""A message may be made so long before it is stored; also what clocks of processes may differ by."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class Watermark:
    """The time of the newest change before which a consumer lacks none; a record of the primary."""

    def __init__(self, storage: Storage, namespace: str) -> None:
        self._storage = storage
        self._namespace = namespace
        self.reached = _NEVER
        self._is_read = False

    def is_before(self, changed_at: datetime) -> bool:
        """Whether it is known, without looking, to be older than a change."""
        return self._is_read and changed_at > self.reached

    async def read(self) -> None:
        """Load where an earlier process ended, the first time. Raises ``StorageUnavailable``."""
        if self._is_read:
            return
        value = await self._storage.get_record(self._namespace, "reached")
        try:
            self.reached = datetime.fromisoformat((value or b"").decode())
        except ValueError:
            self.reached = _NEVER
        self._is_read = True

    async def advance(self, to: datetime) -> None:
        """Record that everything up to a time has arrived; it may be noted later where the primary refuses."""
        if to > self.reached:
            before, self.reached = self.reached, to
            try:
                await self._write(durable=False)
            except StorageError:
                self.reached = before

    async def go_back(self, to: datetime) -> None:
        """See to it that a change of this time is looked for after a crash: the clock went backwards.

        Raises ``StorageUnavailable``.
        """
        self.reached = max(to, _NEVER + 2 * MARGIN) - MARGIN
        await self._write(durable=True)

    async def _write(self, *, durable: bool) -> None:
        text = self.reached.isoformat().encode()
        await self._storage.put_record(self._namespace, "reached", text, durable=durable)
