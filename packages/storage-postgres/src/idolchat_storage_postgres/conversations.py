"""Writing and reading conversations: the statements, and what their answers mean."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from idolchat_core import ConversationExists
from idolchat_storage_postgres.batch import BatchedStatement
from idolchat_storage_postgres.database import Connection, Database
from idolchat_storage_postgres.rows import ConversationRow, MessageRow

__all__ = [
    "APPEND",
    "COLUMNS",
    "CREATE",
    "PAGE",
    "PAGE_START",
    "READ_PAGE",
    "REPLACE_MESSAGE",
    "REVISIONS",
    "SET_FIELDS",
    "VALUES",
    "Append",
    "Create",
    "ReadPage",
    "columns",
    "delete",
    "given",
    "new_version",
    "put",
    "read_many",
    "read_pages",
]

COLUMNS = "id, user_id, character_id, group_ids, created_at, updated_at, head, count, version, rest"
_GIVEN = """unnest($1::uuid[], $2::text[], $3::text[], $4::json[], $5::timestamptz[], $6::timestamptz[], $7::text[],
  $8::int[], $9::bigint[], $10::json[])
  x(id, user_id, character_id, groups, created_at, updated_at, head, count, version, rest)"""
VALUES = """id, user_id, character_id,
  case when groups is not null then array(select json_array_elements_text(groups)) end,
  created_at, updated_at, head, count, version, rest"""

_CREATE = f"""
with made as (
  insert into idolchat.conversations ({COLUMNS}) select {VALUES} from {_GIVEN}
  on conflict (id) do nothing returning id, version, user_id, character_id),
said as (
  insert into idolchat.messages (conversation_id, position, id, turn_id, at, user_id, character_id, line, words)
  select made.id, m.position, m.id, m.turn_id, m.at, made.user_id, made.character_id, m.line, m.words::tsvector
  from unnest($11::uuid[], $12::bigint[], $13::int[], $14::text[], $15::uuid[], $16::timestamptz[], $17::json[],
      $18::text[])
    m(conversation_id, version, position, id, turn_id, at, line, words)
  join made on made.id = m.conversation_id and made.version = m.version)
select id, version from made
union all -- made by this very call, whose answer was lost
select id, version from unnest($1::uuid[], $9::bigint[]) x(id, version) join idolchat.conversations using (id, version)
"""  # noqa: S608 - our names

_APPEND = """
with ops as (
  select * from unnest($1::int[], $2::uuid[], $3::int[], $4::int[], $5::bigint[], $6::timestamptz[], $7::text[])
    x(o, id, expected, added, version, at, head)),
grown as (
  update idolchat.conversations c
  set count = c.count + ops.added, version = c.version + 1, updated_at = ops.at, head = ops.head,
    changed = pg_current_xact_id()
  from ops where c.id = ops.id and c.count = ops.expected and (ops.version is null or c.version = ops.version)
  returning ops.o, c.id, ops.expected, c.version, c.user_id, c.character_id),
said as (
  insert into idolchat.messages (conversation_id, position, id, turn_id, at, user_id, character_id, line, words)
  select grown.id, expected + m.n, m.id, m.turn_id, m.at, user_id, character_id, m.line, m.words::tsvector
  from unnest($8::int[], $9::int[], $10::text[], $11::uuid[], $12::timestamptz[], $13::json[], $14::text[])
    m(o, n, id, turn_id, at, line, words)
  join grown using (o))
select o, version from grown
"""

REVISIONS = "select id, version from idolchat.conversations where id = any($1::uuid[])"

SET_FIELDS = """
update idolchat.conversations
set version = version + 1, head = $3, rest = $4,
  group_ids = case when $5::json is not null then array(select json_array_elements_text($5::json)) end
where id = $1 and version = $2 returning version
"""

REPLACE_MESSAGE = """
with changed as (
  update idolchat.conversations c set version = version + 1, rewritten = version + 1
  where id = $1 and exists (select from idolchat.messages m where m.conversation_id = $1 and m.id = $2) returning id)
update idolchat.messages m set turn_id = $3, at = $4, line = $5, words = $6::tsvector
from changed where m.conversation_id = changed.id and m.id = $2 returning m.position
"""

PAGE = """
c.*, x.is_added, x.start, idolchat.lines(c.id, x.start, least(a.before, c.count)) as lines
"""
"""What is read of a conversation ``c``, as ``a`` asks for it, with ``PAGE_START``."""
PAGE_START = """
cross join lateral (
  select k, case when k then a.known else greatest(least(a.before, c.count) - a.most, 0) end
  from (select coalesce(c.rewritten <= a.version and a.known between c.count - a.most and c.count, false)) y(k)
) x(is_added, start)
"""
_READ_PAGES = f"""
select a.o, {PAGE}
from unnest($1::int[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::bigint[]) a(o, id, most, before, known, version)
  join idolchat.conversations c using (id) {PAGE_START}
"""  # noqa: S608 - our names

_READ_MANY = """
select c.*, (
  select string_agg(m.line::text, E',\\n' order by m.position) from idolchat.messages m
  where m.conversation_id = c.id) as lines
from idolchat.conversations c where c.id = any($1)
"""

_PUT = f"""
insert into idolchat.conversations ({COLUMNS}) select {VALUES} from {_GIVEN} order by id
on conflict (id) do update set user_id = excluded.user_id, character_id = excluded.character_id,
  group_ids = excluded.group_ids, created_at = excluded.created_at, updated_at = excluded.updated_at,
  head = excluded.head, count = excluded.count, version = greatest(excluded.version, conversations.version + 1),
  rewritten = greatest(excluded.version, conversations.version + 1), rest = excluded.rest
"""  # noqa: S608 - our names

_SAY = """
insert into idolchat.messages (conversation_id, position, id, turn_id, at, user_id, character_id, line, words)
select conversation_id, position, id, turn_id, at, user_id, character_id, line, words::tsvector
from unnest($1::uuid[], $2::int[], $3::text[], $4::uuid[], $5::timestamptz[], $6::text[], $7::text[], $8::json[],
    $9::text[])
  m(conversation_id, position, id, turn_id, at, user_id, character_id, line, words)
"""
_SAID_AT_ONCE = 2000
_LINE_BYTES = 1024
"""Of a message, about, that is to be read."""


class Create(NamedTuple):
    """A new conversation; ``version`` is one that nobody else chooses."""

    row: ConversationRow
    messages: Sequence[MessageRow]
    version: int


class Append(NamedTuple):
    """Messages to add, as ``Storage.append`` has them."""

    conversation_id: UUID
    messages: Sequence[MessageRow]
    expected_count: int
    updated_at: datetime
    head: str | None
    expected_version: int | None


class ReadPage(NamedTuple):
    """The newest messages of a conversation, at most ``limit``, before a position.

    Of one that had ``known`` messages at ``version``: those that were added, where nothing else has changed since.
    """

    conversation_id: UUID
    limit: int
    before: int = 2**31 - 1
    known: int | None = None
    version: int | None = None


def new_version() -> int:
    """Make a version for a conversation that is new: later than all that one of the same id has had."""
    return time.time_ns() // 1000 * 1024 + random.getrandbits(10)


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[tuple[Any, ...]]:
    """Turn rows into columns, each an argument of a statement."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _size_of(operation: Create | Append) -> int:
    return sum(len(message.line) for message in operation.messages)


async def _create(connection: Connection, operations: Sequence[Create]) -> Sequence[int | Exception]:
    made = [given(one.row, len(one.messages), one.version) for one in operations]
    said = [
        (one.row.id, one.version, position, *message)
        for one in operations
        for position, message in enumerate(one.messages)
    ]
    rows = await connection.fetch(_CREATE, *columns(made, 10), *columns(said, 8))
    versions = {(row["id"], row["version"]) for row in rows}
    return [
        one.version
        if (one.row.id, one.version) in versions
        else ConversationExists(f"there is a conversation {one.row.id} already")
        for one in operations
    ]


async def _append(connection: Connection, operations: Sequence[Append]) -> Sequence[int | None]:
    # In the order of ids, so that two statements do not wait for each other.
    numbered = sorted(enumerate(operations), key=lambda pair: pair[1].conversation_id)
    grown = [
        (o, one.conversation_id, one.expected_count, len(one.messages), one.expected_version, one.updated_at, one.head)
        for o, one in numbered
    ]
    said = [(o, n, *message) for o, one in numbered for n, message in enumerate(one.messages)]
    rows = await connection.fetch(_APPEND, *columns(grown, 7), *columns(said, 7))
    versions = {row["o"]: row["version"] for row in rows}
    return [versions.get(o) for o in range(len(operations))]


async def read_pages(connection: Connection, operations: Sequence[ReadPage]) -> Sequence[asyncpg.Record | None]:
    given = [(o, *one) for o, one in enumerate(operations)]
    rows = {row["o"]: row for row in await connection.fetch(_READ_PAGES, *columns(given, 6))}
    return [rows.get(o) for o in range(len(operations))]


CREATE: BatchedStatement[Create, int] = BatchedStatement(_create, size_of=_size_of)
"""Gives the version, or ``ConversationExists``."""
APPEND: BatchedStatement[Append, int | None] = BatchedStatement(_append, size_of=_size_of)
"""Gives the new version; None where the conversation is not as expected, or not there."""

READ_PAGE: BatchedStatement[ReadPage, asyncpg.Record | None] = BatchedStatement(
    read_pages, size_of=lambda one: one.limit * _LINE_BYTES
)
"""Gives a row of ``conversations`` with the ``lines`` from ``start`` on, and whether they are what ``is_added``; None
where there is no such conversation."""


async def put(
    connection: Connection,
    conversations: Collection[tuple[ConversationRow, Sequence[MessageRow]]],
    *,
    expected_version: int | None = None,
) -> bool:
    """Store whole conversations in place of what is there; not where another version than the expected one is."""
    ids = [row.id for row, _ in conversations]
    async with connection.transaction():
        if expected_version is not None:
            there = await connection.fetchval(
                "select version from idolchat.conversations where id = any($1) for update", ids
            )
            if there != expected_version:
                return False
        made = [given(row, len(messages), new_version()) for row, messages in conversations]
        await connection.execute(_PUT, *columns(made, 10))
        # Only now, and not in the same statement, nobody else can add a message that this would not see.
        await connection.execute("delete from idolchat.messages where conversation_id = any($1)", ids)
        said = [
            (row.id, position, one.id, one.turn_id, one.at, row.user_id, row.character_id, one.line, one.words)
            for row, messages in conversations
            for position, one in enumerate(messages)
        ]
        for start in range(0, len(said), _SAID_AT_ONCE):
            await connection.execute(_SAY, *columns(said[start : start + _SAID_AT_ONCE], 9))
    return True


async def delete(connection: Connection, conversation_id: UUID, *, expected_version: int | None) -> int | None:
    """Remove a conversation, unless it has another version; return the version that it has, or None without one."""
    async with connection.transaction():
        version: int | None = await connection.fetchval(
            "select version from idolchat.conversations where id = $1 for update", conversation_id
        )
        if version is not None and expected_version in (None, version):
            await connection.execute("delete from idolchat.conversations where id = $1", conversation_id)
            await connection.execute("delete from idolchat.messages where conversation_id = $1", conversation_id)
    return version


async def read_many(database: Database, ids: Iterable[UUID]) -> Mapping[UUID, asyncpg.Record]:
    """Read conversations with the lines of all their messages."""
    return {row["id"]: row for row in await database.fetch(_READ_MANY, list(ids))}


def given(row: ConversationRow, count: int, version: int) -> tuple[Any, ...]:
    """Return what ``VALUES`` are made of."""
    return (
        row.id,
        row.user_id,
        row.character_id,
        row.groups,
        row.created_at,
        row.updated_at,
        row.head,
        count,
        version,
        row.rest,
    )
