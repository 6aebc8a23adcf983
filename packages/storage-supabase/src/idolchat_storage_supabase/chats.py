"""The table ``chats``: one row per conversation, by which they are listed."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from supabase import AsyncClient

from idolchat_core import ConversationSummary, StorageUnavailable
from idolchat_storage_supabase.errors import NoSuchColumn
from idolchat_storage_supabase.retries import RetriedCalls

__all__ = ["ChatsTable", "Row"]

ASK_AGAIN_S = 60.0
_TABLE = "chats"
_IDS_A_PAGE = 1000
_FIRST = ("id", "user_id", "character_id", "updated_at")
_LATER = ("created_at", "message_count", "status", "character_ids")
"""Columns that a table made by an earlier version lacks; without them, each row costs a look at its object."""


class Row(NamedTuple):
    """Which conversation, when it was last changed, and what the row says of it, if that is all."""

    id: UUID
    updated_at: datetime
    summary: ConversationSummary | None = None


class _Columns(NamedTuple):
    id: UUID
    updated_at: datetime
    user_id: str | None = None
    character_id: str | None = None
    character_ids: tuple[str, ...] | None = None
    created_at: datetime | None = None
    message_count: int | None = None
    status: Literal["ok", "damaged"] | None = None
    written_at: datetime | None = None


_ROWS = TypeAdapter(list[_Columns])


class ChatsTable:
    """Reads and writes the rows; every method raises as ``RetriedCalls.make``: ``NoSuchTable``, ``RowRefused``, others.

    A table that lacks the later columns is written and read without them, and asked for them every ``ASK_AGAIN_S``.
    """

    def __init__(self, client: AsyncClient, calls: RetriedCalls) -> None:
        self._client = client
        self._calls = calls
        self._plain_until: float | None = None
        self._most_given = 0

    async def put(self, summaries: Sequence[ConversationSummary]) -> None:
        """Write the rows of these conversations, each given once, in one call."""
        if self._is_full():
            # The database reads ``now`` by its own clock, the one that tells when objects were written.
            rows = [_row(summary, (*_FIRST, *_LATER)) | {"written_at": "now"} for summary in summaries]
            try:
                await self._upsert(rows)
                return
            except NoSuchColumn:
                self._plain_until = time.monotonic() + ASK_AGAIN_S
        await self._upsert([_row(summary, _FIRST) for summary in summaries])

    async def remove(self, conversation_ids: Collection[UUID]) -> None:
        """Remove the rows of these conversations; that there is none is no error."""
        ids = [str(conversation_id) for conversation_id in conversation_ids]
        await self._calls.make(lambda: self._query().delete(returning="minimal").in_("id", ids).execute())

    async def page(
        self,
        *,
        user_id: UUID | str | None = None,
        character_id: UUID | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: Row | None = None,
        limit: int,
    ) -> Sequence[Row]:
        """Read up to ``limit`` rows, newest first, that stand behind ``before``."""

        async def call(*columns: str) -> Any:
            query = self._query().select(*columns)
            if user_id is not None:
                query = query.eq("user_id", str(user_id))
            if character_id is not None:
                query = _of_character(query, str(character_id), has_groups="character_ids" in columns)
            if since is not None:
                query = query.gte("updated_at", since.isoformat())
            if until is not None:
                query = query.lt("updated_at", until.isoformat())
            if before is not None:
                time = f'"{before.updated_at.isoformat()}"'
                query = query.or_(f"updated_at.lt.{time},and(updated_at.eq.{time},id.lt.{before.id})")
            return await query.order("updated_at", desc=True).order("id", desc=True).limit(limit).execute()

        return [_read(row) for row in await self._selected(call, _FIRST, _LATER)]

    def is_last(self, *, given: int, asked: int) -> bool:
        """Return whether a page ends the list: it is short, and not because the project gives no more rows at once."""
        return given == 0 or (given < asked and given < self._most_given)

    async def written(self) -> Mapping[UUID, datetime | None]:
        """Read the ids of all rows, and when each was written, by the database's clock, where that is known."""
        found: dict[UUID, datetime | None] = {}
        after: UUID | None = None
        while True:
            rows = await self._after(after)
            found.update({row.id: row.written_at for row in rows})
            if not rows:  # a short page need not be the last, see ``is_last``
                return found
            after = rows[-1].id

    async def _after(self, after: UUID | None) -> Sequence[_Columns]:
        async def call(*columns: str) -> Any:
            query = self._query().select(*columns)
            if after is not None:
                query = query.gt("id", str(after))
            return await query.order("id").limit(_IDS_A_PAGE).execute()

        return await self._selected(call, ("id", "updated_at"), ("written_at",))

    async def _selected(self, call: Any, first: Sequence[str], later: Sequence[str]) -> Sequence[_Columns]:
        if self._is_full():
            try:
                return self._read_all(await self._calls.make(lambda: call(*first, *later)))
            except NoSuchColumn:
                self._plain_until = time.monotonic() + ASK_AGAIN_S
        return self._read_all(await self._calls.make(lambda: call(*first)))

    def _read_all(self, answer: Any) -> Sequence[_Columns]:
        try:
            rows = _ROWS.validate_python(answer.data)
        except ValueError as error:
            raise StorageUnavailable(f"the table {_TABLE} holds rows that idolchat did not write") from error
        self._most_given = max(self._most_given, len(rows))
        return rows

    async def _upsert(self, rows: list[dict[str, Any]]) -> None:
        await self._calls.make(lambda: self._query().upsert(rows, returning="minimal").execute())

    def _query(self) -> Any:
        return self._client.table(_TABLE)

    def _is_full(self) -> bool:
        return self._plain_until is None or time.monotonic() >= self._plain_until


def _of_character(query: Any, character_id: str, *, has_groups: bool) -> Any:
    """Limit a query to conversations with a character, the first or another."""
    if not has_groups:
        return query.eq("character_id", character_id)
    quoted = character_id.replace("\\", "\\\\").replace('"', '\\"')
    among = f'{{"{quoted}"}}'.replace("\\", "\\\\").replace('"', '\\"')
    return query.or_(f'character_id.eq."{quoted}",character_ids.cs."{among}"')


def _row(summary: ConversationSummary, columns: Collection[str]) -> dict[str, Any]:
    return summary.model_dump(mode="json", include=set(columns))


def _read(row: _Columns) -> Row:
    if row.created_at is None or row.message_count is None or row.status is None:
        return Row(row.id, row.updated_at)
    return Row(row.id, row.updated_at, ConversationSummary.model_validate(row._asdict()))
