"""What processes have left that died: their turns are ended, and their calls settled."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from idolchat_core.coordination.contract import UnfinishedTurn
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
        self._unsettled: dict[str, UnfinishedTurn] = {}
        """Turns of processes that have died, by the ids of their calls, which are not settled yet."""

    async def begin(self) -> Sequence[DailyTotals]:
        """Store the turns that were left before this process began, and return the ledger's days as they are then.

        Raises ``StorageUnavailable``.
        """
        if not self._is_on:
            return await self._resources.ledger.load()
        if self._resources.storage.is_shared:
            await self._take_over()
            books = await self._resources.ledger.load()
            if books:  # otherwise they may not have been readable, and are read again by ``go_on``
                await self._settle(books)
            await self._store()
        else:  # what is stored of the turns tells of their calls, at any later start, too
            await self._take_over()
            await self._store()
            books = await self._resources.ledger.load()
            self._told(await settle_open_calls(self._resources.storage, self._resources.ledger, books))
            self._unsettled.clear()
        return books

    async def go_on(self) -> None:
        """Store the turns of processes that have died since, as far as that is possible now."""
        if not self._is_on:
            return
        try:
            await self._take_over()
            if self._unsettled:
                for line in await self._settle(await self._resources.ledger.read_days()):
                    self._resources.ledger.adopt(line)  # the days that were read at the start do not have it
                await self._store()
        except StorageError as error:
            log.warning("what processes that died have left cannot be read yet", extra={"code": error.code})

    async def _take_over(self) -> None:
        turns = await self._resources.unstored.take_over()
        self.count += len(turns)
        self._unsettled |= {str(turn.message_id): turn for turn in turns}
        if turns:
            log.warning("turns were interrupted by a crash", extra={"turns": len(turns)})

    async def _store(self) -> None:
        await self._resources.unstored.flush_all(at_once=True)

    async def _settle(self, books: Sequence[DailyTotals]) -> Sequence[bytes]:
        """Settle the calls of turns that were taken over, before these are stored.

        Then nobody knows any more whose calls they were: a process that dies in between must leave both to the next.
        """
        storage, ledger = self._resources.storage, self._resources.ledger
        lines = await settle_open_calls(storage, ledger, books, only=self._unsettled)
        are_open = {call_id for book in books for call_id in book.opened}
        self._unsettled = {call_id: turn for call_id, turn in self._unsettled.items() if call_id in are_open}
        self._told(lines)
        return lines

    @staticmethod
    def _told(lines: Sequence[bytes]) -> None:
        if lines:
            log.warning("calls of the provider were cut off by a crash", extra={"calls": len(lines)})
