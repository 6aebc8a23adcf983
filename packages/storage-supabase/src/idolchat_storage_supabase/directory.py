"""Keeps the table in step with the objects, and knows when it can be believed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any
from uuid import UUID

from idolchat_core.errors import StorageUnavailable
from idolchat_core.models import ConversationSummary
from idolchat_storage_supabase.chats import ChatsTable, Row
from idolchat_storage_supabase.faults import NoSuchTable, RowRefused
from idolchat_storage_supabase.sql import chats_sql

__all__ = ["Directory"]

log = logging.getLogger(__name__)

ASK_AGAIN_S = 60.0
RETRY_S = 5.0
FIRST_WAIT_S = 1.0

type Summaries = Callable[[set[UUID]], AsyncGenerator[ConversationSummary]]
"""Describes every conversation that has an object, without those with these ids."""


class Directory:
    """The rows of ``chats``, which follow the objects.

    A table that is missing is asked for again every ``ASK_AGAIN_S``; one that has come gets the rows it lacks, and is
    believed when it has them all. A row that could not be written is written later, every ``RETRY_S``.
    """

    def __init__(self, table: ChatsTable, summaries: Summaries) -> None:
        self._table = table
        self._summaries = summaries
        self._missing_until: float | None = None
        self._is_told = False
        self._has_refused = False
        self._is_whole = False
        self._late: dict[UUID, ConversationSummary | None] = {}
        self._filling: asyncio.Task[None] | None = None
        self._catching_up: asyncio.Task[None] | None = None

    async def changed(self, conversation_id: UUID, summary: ConversationSummary | None, *, now: bool) -> None:
        """Write, or remove, the row of a conversation whose object was written or removed.

        Raises ``StorageUnavailable`` where that cannot be done and ``now`` is true; else it is done later.
        """
        if self._is_missing():
            return
        try:
            await self._write(conversation_id, summary)
        except StorageUnavailable as error:
            if now:
                raise
            log.info("a row of chats is written later", extra={"reason": str(error)})
            self._late[conversation_id] = summary
            if self._catching_up is None or self._catching_up.done():
                self._catching_up = asyncio.create_task(self._catch_up())

    async def can_be_believed(self) -> bool:
        """Tell whether the table holds a row for every conversation, as it is now."""
        if self._is_missing():
            return False
        if not self._is_whole:
            if self._filling is None or self._filling.done():
                self._filling = asyncio.create_task(self._fill())
            await asyncio.wait({self._filling}, timeout=FIRST_WAIT_S)
        return self._is_whole and not self._late

    async def page(self, **asked: Any) -> Sequence[Row] | None:
        """Ask the table as ``ChatsTable.page``; None where it is not there any more, or cannot be asked now."""
        try:
            return await self._table.page(**asked)
        except NoSuchTable:
            self._note_missing()
        except StorageUnavailable as error:
            log.warning("the table chats cannot be asked; the bucket is listed", extra={"reason": str(error)})
        return None

    async def rewrite(self, summary: ConversationSummary) -> None:
        """Write a row anew. Raises ``StorageUnavailable``."""
        if not self._is_missing():
            await self._write(summary.id, summary)

    async def close(self) -> None:
        """Try once more to write what is late, and stop."""
        running = {task for task in (self._filling, self._catching_up) if task is not None}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            await self._write_late()
        except StorageUnavailable as error:
            log.warning(
                "rows of chats could not be written; `idol storage reindex` mends the table",
                extra={"rows": len(self._late), "reason": str(error)},
            )

    async def _write(self, conversation_id: UUID, summary: ConversationSummary | None) -> None:
        try:
            if summary is None:
                await self._table.remove(conversation_id)
            else:
                await self._table.put(summary)
        except NoSuchTable:
            self._note_missing()
        except RowRefused as error:
            self._note_refused(error)
        self._late.pop(conversation_id, None)

    async def _catch_up(self) -> None:
        while self._late:
            await asyncio.sleep(RETRY_S)
            try:
                await self._write_late()
            except StorageUnavailable as error:
                log.debug("rows of chats are still late", extra={"rows": len(self._late), "reason": str(error)})

    async def _write_late(self) -> None:
        for conversation_id, summary in list(self._late.items()):
            await self._write(conversation_id, summary)

    async def _fill(self) -> None:
        """Write the rows that the table lacks: it may be newer than the conversations."""
        try:
            known = await self._table.ids()
            async for summary in self._summaries(known):
                try:
                    await self._table.put(summary, only_if_missing=True)
                except RowRefused as error:
                    self._note_refused(error)
        except NoSuchTable:
            self._note_missing()
        except StorageUnavailable as error:
            log.warning("the table chats cannot be filled now", extra={"reason": str(error)})
        else:
            self._is_whole = not self._has_refused

    def _is_missing(self) -> bool:
        return self._missing_until is not None and time.monotonic() < self._missing_until

    def _note_missing(self) -> None:
        self._missing_until = time.monotonic() + ASK_AGAIN_S
        self._is_whole = False
        self._late.clear()
        if not self._is_told:
            self._is_told = True
            log.warning(
                "there is no table chats, so the bucket is listed, which takes longer; this makes the table:\n%s",
                chats_sql(),
            )

    def _note_refused(self, error: RowRefused) -> None:
        self._is_whole = False
        if not self._has_refused:
            self._has_refused = True
            log.warning(
                "the table chats does not take every row, so the bucket is listed; compare it with `idol supabase sql`",
                extra={"reason": str(error)},
            )
