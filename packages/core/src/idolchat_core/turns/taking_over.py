"""What processes have left that died: their turns are ended, and their calls settled."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from idolchat_core.errors import StorageError
from idolchat_core.spending.daily_totals import DailyTotals
from idolchat_core.turns.call_recovery import settle_open_calls
from idolchat_core.turns.resources import EngineResources

__all__ = ["TakeOver"]

log = logging.getLogger(__name__)


class TakeOver:
    """Takes over at the start, and later where processes share the storage; without ``is_on``, nothing."""

    def __init__(self, resources: EngineResources, *, is_on: bool) -> None:
        self._resources = resources
        self._is_on = is_on
        self.count = 0
        """How many turns were taken over since the start."""

    async def begin(self) -> Sequence[DailyTotals]:
        """Store the turns that were left before this process began, and return the ledger's days as they are then.

        Raises ``StorageUnavailable``.
        """
        taken_over = await self._take_over() if self._is_on else ()
        books = await self._resources.ledger.load()
        if self._is_on:
            await self._settle(books, only=taken_over if self._resources.storage.is_shared else None)
        return books

    async def go_on(self) -> None:
        """Store the turns of processes that have died since, as far as that is possible now."""
        if not self._is_on:
            return
        try:
            if taken_over := await self._take_over():
                for line in await self._settle(await self._resources.ledger.read_days(), only=taken_over):
                    self._resources.ledger.adopt(line)  # the days that were read at the start do not have it
        except StorageError as error:
            log.warning("what processes that died have left cannot be read yet", extra={"code": error.code})

    async def _take_over(self) -> Collection[str]:
        """End the turns of processes that have died, and return the ids of their calls."""
        unstored = self._resources.unstored
        turns = await unstored.take_over()
        self.count += len(turns)
        if turns:
            log.warning("turns were interrupted by a crash", extra={"turns": len(turns)})
            await unstored.flush_all(at_once=True)
        return {str(turn.message_id) for turn in turns}

    async def _settle(self, books: Sequence[DailyTotals], *, only: Collection[str] | None) -> Sequence[bytes]:
        lines = await settle_open_calls(self._resources.storage, self._resources.ledger, books, only=only)
        if lines:
            log.warning("calls of the provider were cut off by a crash", extra={"calls": len(lines)})
        return lines
