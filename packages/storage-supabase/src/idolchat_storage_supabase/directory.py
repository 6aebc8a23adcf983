"""Keeps the table in step with the objects, and knows when it can be believed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from idolchat_core import ConversationSummary, StorageUnavailable
from idolchat_storage_supabase.chats import ChatsTable, Row
from idolchat_storage_supabase.errors import NoSuchTable, RowRefused
from idolchat_storage_supabase.sql import chats_sql_line

__all__ = ["ROWS_A_CALL", "Directory"]

log = logging.getLogger(__name__)

ASK_AGAIN_S = 60.0
RETRY_S = 5.0
FIRST_WAIT_S = 1.0
GATHER_S = 1.0
"""How long a row waits for others to be written with it: many in one call cost as one."""
ROWS_A_CALL = 200

type IsWanted = Callable[[UUID, datetime | None], bool]
type Summaries = Callable[[IsWanted], AsyncGenerator[ConversationSummary]]
"""Describes the conversations that are wanted, by id and the time at which their object was written."""
type Describe = Callable[[UUID], Awaitable[ConversationSummary | None]]


class Directory:
    """The rows of ``chats``, which follow the objects within a moment.

    A table that is missing is asked for again every ``ASK_AGAIN_S``. It is believed once it was compared with the
    bucket: it gets the rows that it lacks or that are older than their object, and loses those without one. A row that
    could not be written is written later, every ``RETRY_S``.
    """

    def __init__(self, table: ChatsTable, summaries: Summaries, describe: Describe) -> None:
        self._table = table
        self._summaries = summaries
        self._describe = describe
        self._missing_until: float | None = None
        self._is_told = False
        self._has_refused = False
        self._is_whole = False
        self._cannot_write = False
        self._late: dict[UUID, ConversationSummary | None] = {}
        self._changed_meanwhile: set[UUID] = set()
        self._flushing = asyncio.Lock()
        self._filling: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    def changed(self, conversation_id: UUID, summary: ConversationSummary | None) -> None:
        """Write or remove, soon, the row of a conversation whose object was written or removed."""
        if self._is_missing():
            return
        self._changed_meanwhile.add(conversation_id)
        self._late[conversation_id] = summary
        self._write_soon()

    async def changed_now(self, conversation_id: UUID, summary: ConversationSummary | None) -> None:
        """Write or remove the row before this returns; where that fails, later."""
        self.changed(conversation_id, summary)
        await self._flush_quietly()

    async def can_be_believed(self) -> bool:
        """Return whether the table holds a row for every conversation, as it is now."""
        if self._is_missing():
            return False
        if not self._is_whole:
            if self._filling is None or self._filling.done():
                self._filling = asyncio.create_task(self._fill())
            await asyncio.wait({self._filling}, timeout=FIRST_WAIT_S)
        if self._is_whole:
            await self._flush_quietly()
        return self._is_whole and not self._late

    async def page(self, **asked: Any) -> tuple[Sequence[Row], bool] | None:
        """Read a page as ``ChatsTable.page`` does, and whether it is the last; None where the table cannot be read."""
        try:
            rows = await self._table.page(**asked)
            return rows, self._table.is_last(given=len(rows), asked=asked["limit"])
        except NoSuchTable:
            self._note_missing()
        except StorageUnavailable as error:
            log.warning("the table chats cannot be asked; the bucket is listed", extra={"reason": str(error)})
        return None

    async def flush(self) -> None:
        """Write the rows that are waiting. Raises ``StorageUnavailable``."""
        async with self._flushing:
            while self._late:
                some = dict(islice(self._late.items(), ROWS_A_CALL))
                try:
                    await self._write(some)
                except StorageUnavailable:
                    self._cannot_write = True
                    raise
                self._cannot_write = False
                for conversation_id, summary in some.items():
                    if self._late.get(conversation_id) is summary:
                        self._late.pop(conversation_id, None)

    async def close(self) -> None:
        """Try once more to write what is late, and stop."""
        running = {task for task in (self._filling, self._writing) if task is not None}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            await self.flush()
        except StorageUnavailable as error:
            log.warning(
                "rows of chats could not be written; `idol storage reindex` mends the table",
                extra={"rows": len(self._late), "reason": str(error)},
            )

    async def _flush_quietly(self) -> None:
        if self._late and not self._cannot_write:
            try:
                await self.flush()
            except StorageUnavailable as error:
                log.info("rows of chats are written later", extra={"reason": str(error)})

    def _write_soon(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_late())

    async def _write_late(self) -> None:
        pause_s = GATHER_S
        while self._late:
            await asyncio.sleep(pause_s)
            pause_s = GATHER_S
            try:
                await self.flush()
            except StorageUnavailable as error:
                log.info("rows of chats are written later", extra={"rows": len(self._late), "reason": str(error)})
                pause_s = RETRY_S

    async def _write(self, rows: dict[UUID, ConversationSummary | None]) -> None:
        gone = [conversation_id for conversation_id, summary in rows.items() if summary is None]
        try:
            if gone:
                await self._table.remove(gone)
            await self._put([summary for summary in rows.values() if summary is not None])
        except NoSuchTable:
            self._note_missing()

    async def _put(self, summaries: Sequence[ConversationSummary]) -> None:
        """Write rows; where one is refused, the others all the same."""
        if not summaries:
            return
        try:
            await self._table.put(summaries)
        except RowRefused as error:
            if len(summaries) == 1:
                self._note_refused(error)
                return
            middle = len(summaries) // 2
            await self._put(summaries[:middle])
            await self._put(summaries[middle:])

    async def _fill(self) -> None:
        """Compare the table with the bucket: it may be newer than the conversations, or a crash came between."""
        self._changed_meanwhile.clear()
        try:
            await self._compare()
            await self.flush()
        except NoSuchTable:
            self._note_missing()
        except StorageUnavailable as error:
            log.warning("the table chats cannot be filled now", extra={"reason": str(error)})
        else:
            self._is_whole = not self._has_refused and not self._is_missing()

    async def _compare(self) -> None:
        written = await self._table.written()
        seen = set[UUID]()

        def is_lacking(conversation_id: UUID, object_written_at: datetime | None) -> bool:
            seen.add(conversation_id)
            if conversation_id not in written:
                return True
            row_written_at = written[conversation_id]
            return row_written_at is not None and object_written_at is not None and row_written_at < object_written_at

        async for summary in self._summaries(is_lacking):
            self._note_found(summary.id, summary)
            if len(self._late) >= ROWS_A_CALL:
                await self.flush()
        for conversation_id in written.keys() - seen:
            if await self._describe(conversation_id) is None:
                self._note_found(conversation_id, None)

    def _note_found(self, conversation_id: UUID, summary: ConversationSummary | None) -> None:
        if conversation_id not in self._changed_meanwhile:
            self._late[conversation_id] = summary

    def _is_missing(self) -> bool:
        return self._missing_until is not None and time.monotonic() < self._missing_until

    def _note_missing(self) -> None:
        self._missing_until = time.monotonic() + ASK_AGAIN_S
        self._is_whole = False
        self._late.clear()
        if not self._is_told:
            self._is_told = True
            log.warning(
                "there is no table chats, so the bucket is listed, which takes longer; `idol supabase sql` prints what"
                " makes the table, in one line: %s",
                chats_sql_line(),
            )

    def _note_refused(self, error: RowRefused) -> None:
        self._is_whole = False
        if not self._has_refused:
            self._has_refused = True
            log.warning(
                "the table chats does not take every row, so the bucket is listed; compare it with `idol supabase sql`",
                extra={"reason": str(error)},
            )
