"""The table ``chats``: one row per conversation, by which they are listed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from supabase import AsyncClient

from idolchat_core.errors import StorageUnavailable
from idolchat_core.models import ConversationSummary
from idolchat_storage_supabase.calls import Calls

__all__ = ["ChatsTable", "Row"]

_TABLE = "chats"
_IDS_A_PAGE = 1000


class Row(NamedTuple):
    """Which conversation, and when it was last changed."""

    id: UUID
    updated_at: datetime


_ROWS = TypeAdapter(list[Row])


class ChatsTable:
    """Reads and writes the rows; every method raises as ``Calls.make``, ``NoSuchTable`` among them."""

    def __init__(self, client: AsyncClient, calls: Calls) -> None:
        self._client = client
        self._calls = calls

    async def put(self, summary: ConversationSummary, *, only_if_missing: bool = False) -> None:
        """Write a conversation's row."""
        row = summary.model_dump(mode="json", include={"id", "user_id", "character_id", "updated_at"})
        await self._calls.make(
            lambda: self._query().upsert(row, returning="minimal", ignore_duplicates=only_if_missing).execute()
        )

    async def remove(self, conversation_id: UUID) -> None:
        """Remove a conversation's row; that there is none is no error."""
        query = self._query
        await self._calls.make(lambda: query().delete(returning="minimal").eq("id", str(conversation_id)).execute())

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

        async def call() -> Any:
            query = self._query().select("id", "updated_at")
            if user_id is not None:
                query = query.eq("user_id", str(user_id))
            if character_id is not None:
                query = query.eq("character_id", str(character_id))
            if since is not None:
                query = query.gte("updated_at", since.isoformat())
            if until is not None:
                query = query.lt("updated_at", until.isoformat())
            if before is not None:
                time = f'"{before.updated_at.isoformat()}"'
                query = query.or_(f"updated_at.lt.{time},and(updated_at.eq.{time},id.lt.{before.id})")
            return await query.order("updated_at", desc=True).order("id", desc=True).limit(limit).execute()

        return _read(await self._calls.make(call))

    async def ids(self) -> set[UUID]:
        """Read the ids of all rows."""
        found: set[UUID] = set()
        after: UUID | None = None
        while True:
            rows = await self._ids_after(after)
            found.update(row.id for row in rows)
            if (
                not rows
            ):  # a short page need not be the last: a project may be set to give fewer rows than are asked for
                return found
            after = rows[-1].id

    async def _ids_after(self, after: UUID | None) -> Sequence[Row]:
        async def call() -> Any:
            query = self._query().select("id", "updated_at")
            if after is not None:
                query = query.gt("id", str(after))
            return await query.order("id").limit(_IDS_A_PAGE).execute()

        return _read(await self._calls.make(call))

    def _query(self) -> Any:
        return self._client.table(_TABLE)


def _read(answer: Any) -> Sequence[Row]:
    try:
        return _ROWS.validate_python([(row["id"], row["updated_at"]) for row in answer.data])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageUnavailable(f"table chats holds no ids and times: {type(error).__name__}") from error
