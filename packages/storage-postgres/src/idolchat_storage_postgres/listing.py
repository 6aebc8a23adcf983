"""Lists, counts, and which conversation a turn is in."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import asyncpg

from idolchat_core import (
    EVERYTHING,
    ConversationFilter,
    ConversationList,
    ConversationSummary,
    IdSet,
    StorageStats,
    pagination,
)
from idolchat_storage_postgres.conditions import Condition
from idolchat_storage_postgres.database import Connection, Database
from idolchat_storage_postgres.rows import id_of, plain_uuid, stored_id

__all__ = ["count_conversations", "find_turn", "list_conversations", "list_ids"]

_SUMMARY = "id, user_id, character_id, group_ids, created_at, updated_at, count"
_NEWEST_FIRST = "order by updated_at desc, id desc"
_COUNTED = """
select count(*) as conversations, coalesce(sum(count), 0)::bigint as messages, count(distinct user_id) as users,
  min(created_at) as first_at, max(updated_at) as last_at
from idolchat.conversations"""
_CHARACTERS = """
select count(distinct one) from idolchat.conversations, unnest(array_append(group_ids, character_id)) x(one)"""
_SIZE = """
select pg_total_relation_size('idolchat.conversations') + sum(pg_total_relation_size(inhrelid))::bigint
from pg_inherits where inhparent = 'idolchat.messages'::regclass"""
_IDS_AT_ONCE = 10_000


async def list_conversations(
    database: Database, matching: ConversationFilter, *, limit: int, before: str | None
) -> ConversationList:
    """See ``Storage.list``."""
    place = pagination.place(before) if before is not None else None
    condition = _matching(matching)
    if place is not None:
        condition.add("(updated_at, id) < ({}, {})", *place)
    rows = await database.fetch(_page(condition, matching, limit + 1), *condition.arguments)
    page = [_summary(row) for row in rows[:limit]]
    return ConversationList(data=page, next=pagination.cursor(page[-1]) if page and len(rows) > limit else None)


def _page(condition: Condition, matching: ConversationFilter, limit: int) -> str:
    """Select the newest; those of a character by two indexes, for it may be the first of a group or another of it."""
    newest = f"{_NEWEST_FIRST} limit {limit}"
    if matching.character_id is None:
        return f"select {_SUMMARY} from idolchat.conversations{condition.clause} {newest}"  # noqa: S608 - our names
    one = condition.number(stored_id(matching.character_id))
    all_of_it = f"select {_SUMMARY} from idolchat.conversations{condition.clause or ' where true'}"  # noqa: S608
    return (
        f"(({all_of_it} and character_id = {one} {newest}) union all"
        f" ({all_of_it} and group_ids @> array[{one}] and character_id is distinct from {one} {newest})) {newest}"
    )


def _matching(matching: ConversationFilter) -> Condition:
    """Write a filter without its character."""
    condition = Condition()
    if matching.user_id is not None:
        condition.add("user_id = {}", stored_id(matching.user_id))
    if matching.since is not None:
        condition.add("updated_at >= {}", matching.since)
    if matching.until is not None:
        condition.add("updated_at < {}", matching.until)
    return condition


def _summary(row: asyncpg.Record) -> ConversationSummary:
    groups = row["group_ids"]
    return ConversationSummary.model_validate(
        {
            "id": plain_uuid(row["id"]),
            "user_id": _read(row["user_id"]),
            "character_id": _read(row["character_id"]),
            "character_ids": None if groups is None else tuple(map(id_of, groups)),
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "message_count": row["count"],
        }
    )


async def list_ids(database: Database) -> Collection[UUID]:
    """See ``Storage.list_ids``."""

    async def read(connection: Connection) -> bytes:
        found = bytearray()
        async with connection.transaction(readonly=True):
            async for row in connection.cursor("select id from idolchat.conversations", prefetch=_IDS_AT_ONCE):
                found += row["id"].bytes
        return bytes(found)

    found = await database.run(read)
    return IdSet(UUID(bytes=found[start : start + 16]) for start in range(0, len(found), 16))


async def count_conversations(database: Database, matching: ConversationFilter) -> StorageStats:
    """See ``Storage.stats``; the size is that of all tables and indexes of conversations, known only of all."""
    condition = _matching(matching)
    if matching.character_id is not None:
        condition.add("{} = any(array_append(group_ids, character_id))", stored_id(matching.character_id))

    async def read(connection: Connection) -> StorageStats:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            counted = await connection.fetchrow(_COUNTED + condition.clause, *condition.arguments)
            characters = await connection.fetchval(_CHARACTERS + condition.clause, *condition.arguments)
            size = await connection.fetchval(_SIZE) if matching == EVERYTHING else None
        return StorageStats(**dict(counted or {}), characters=characters, damaged=0, size_bytes=size)

    return await database.run(read)


async def find_turn(database: Database, turn_id: UUID) -> UUID | None:
    """See ``Storage.find_turn``."""
    found: UUID | None = await database.fetchval(
        "select conversation_id from idolchat.messages where turn_id = $1 limit 1", turn_id
    )
    return None if found is None else plain_uuid(found)


def _read(stored: str | None) -> str | None:
    return None if stored is None else id_of(stored)
