"""The index as core knows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

from idolchat_core import (
    KnownConversation,
    MemoryIndex,
    MemoryMessage,
    MemoryScope,
    MemoryStats,
    ScopeReader,
    TextAnalysis,
    Unencoded,
)
from idolchat_storage_postgres.database import Connection, Database
from idolchat_storage_postgres.memory import vectors as stored_vectors
from idolchat_storage_postgres.memory.reader import PostgresScopeReader
from idolchat_storage_postgres.memory.values import TABLES, scope_key, scope_of, to_bytes
from idolchat_storage_postgres.memory.verification import count, find_problems
from idolchat_storage_postgres.memory.writer import ConversationWriter

__all__ = ["PostgresMemoryIndex", "open_memory_index"]

_FIND_SCOPE = "select number from idolchat.memory_scopes where key = $1"
_MAKE_SCOPE = """
insert into idolchat.memory_scopes (user_id, key) values ($1, $2)
on conflict (key) do update set user_id = excluded.user_id returning number
"""
_FIND = """
select c.number, c.scope, s.key, c.revision from idolchat.memory_conversations c
join idolchat.memory_scopes s on s.number = c.scope where c.id = $1
"""
_MAKE = (
    "insert into idolchat.memory_conversations (scope, id, revision) values ($1, $2, '') on conflict (id) do nothing"
)
_SET_REVISION = "update idolchat.memory_conversations set revision = $2 where number = $1"
_SCOPES_OF = """
select key from idolchat.memory_scopes m where user_id is not distinct from $1 and message_count > 0
order by (select max(last_at) from idolchat.memory_sessions where scope = m.number) desc limit $2
"""
_DROP_EMPTY_SCOPE = """
delete from idolchat.memory_scopes where number = $1
  and not exists (select from idolchat.memory_conversations where scope = $1)
"""
_SET_ANALYSIS = """
insert into idolchat.memory_names (kind, name) values ('analysis', $1)
on conflict (kind) do update set name = excluded.name where memory_names.name <> excluded.name returning name
"""


class _Found(NamedTuple):
    number: int
    scope: int
    scope_key: bytes
    revision: str


@asynccontextmanager
async def open_memory_index(database: Database, analysis: TextAnalysis) -> AsyncGenerator[PostgresMemoryIndex]:
    """Open the index; it is emptied where another analysis made it. Raises ``StorageUnavailable``."""
    index = PostgresMemoryIndex(database, analysis)
    await index.prepare()
    yield index


class PostgresMemoryIndex(MemoryIndex):
    """Any number of processes may read and write; what was written by one is found by all at once."""

    def __init__(self, database: Database, analysis: TextAnalysis) -> None:
        self._database = database
        self._analysis = analysis

    async def prepare(self) -> None:
        """Empty what another analysis made."""

        async def work(connection: Connection) -> None:
            if await connection.fetchval(_SET_ANALYSIS, self._analysis.name) is not None:
                await _clear(connection)

        await self._write(work)

    async def read[T](self, scope: MemoryScope, work: Callable[[ScopeReader], T]) -> T:
        loop = asyncio.get_running_loop()

        async def read(connection: Connection) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                number = await connection.fetchval(_FIND_SCOPE, scope_key(scope))
                reader = PostgresScopeReader(connection, number, loop)
                thread = asyncio.ensure_future(asyncio.to_thread(work, reader))
                try:
                    return await asyncio.shield(thread)
                except asyncio.CancelledError:
                    await asyncio.wait({thread})  # the connection is its own until then
                    if not thread.cancelled():
                        thread.exception()  # nobody is left to be told
                    raise

        return await self._database.run(read)

    async def scopes_of(self, user_id: str | None, *, limit: int) -> Sequence[MemoryScope]:
        user = None if user_id is None else to_bytes(str(user_id))
        return [scope_of(row["key"]) for row in await self._database.fetch(_SCOPES_OF, user, limit)]

    async def known(self, conversation_id: UUID) -> KnownConversation | None:
        async def read(connection: Connection) -> KnownConversation | None:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                found = await _find(connection, conversation_id)
                if found is None:
                    return None
                newest = await self._writer(connection, found.scope, found.number).newest()
            last = newest.message_id if newest is not None else None
            return KnownConversation(scope_of(found.scope_key), found.revision, last)

        return await self._database.run(read)

    async def conversations(self) -> Mapping[UUID, str]:
        rows = await self._database.fetch("select id, revision from idolchat.memory_conversations")
        return {row["id"]: row["revision"] for row in rows}

    async def extend(
        self, conversation_id: UUID, messages: Sequence[MemoryMessage], *, after: str, revision: str
    ) -> bool:
        async def work(connection: Connection) -> bool:
            found = await _find(connection, conversation_id, locks=True)
            if found is None or not await self._writer(connection, found.scope, found.number).go_on(after, messages):
                return False
            await connection.execute(_SET_REVISION, found.number, revision)
            return True

        return await self._write(work)

    async def replace(
        self, scope: MemoryScope, conversation_id: UUID, messages: Sequence[MemoryMessage], *, revision: str
    ) -> None:
        async def work(connection: Connection) -> None:
            found = await _find(connection, conversation_id, locks=True)
            if found is not None and found.scope_key != scope_key(scope):
                await self._forget(connection, found)
                found = None
            if found is None:
                await _make(connection, scope, conversation_id)
                found = await _find(connection, conversation_id, locks=True)
            if found is None:
                raise AssertionError("a conversation that was just made is there")
            await connection.execute(_SET_REVISION, found.number, revision)
            await self._writer(connection, found.scope, found.number).lay_out(messages)

        await self._write(work)

    async def delete_conversation(self, conversation_id: UUID) -> None:
        async def work(connection: Connection) -> None:
            found = await _find(connection, conversation_id, locks=True)
            if found is not None:
                await self._forget(connection, found)

        await self._write(work)

    async def delete_user(self, user_id: str) -> int:
        async def work(connection: Connection) -> int:
            rows = await connection.fetch(
                "select number from idolchat.memory_scopes where user_id = $1 for update", to_bytes(str(user_id))
            )
            scopes = [row["number"] for row in rows]
            count: int = await connection.fetchval(
                "select count(*) from idolchat.memory_messages where scope = any($1)", scopes
            )
            for table in TABLES:
                await connection.execute(f"delete from idolchat.{table} where scope = any($1)", scopes)  # noqa: S608
            await connection.execute("delete from idolchat.memory_scopes where number = any($1)", scopes)
            return count

        return await self._write(work)

    async def clear(self) -> None:
        await self._write(_clear)

    async def unencoded(self, encoding: str, *, limit: int) -> Sequence[Unencoded]:
        return await self._write(lambda connection: stored_vectors.unencoded(connection, encoding, limit))

    async def put_vectors(self, encoding: str, vectors: Sequence[tuple[Unencoded, bytes]]) -> None:
        await self._write(lambda connection: stored_vectors.put(connection, encoding, vectors))

    async def stats(self, scope: MemoryScope | None = None) -> MemoryStats:
        return await self._read(lambda connection: count(connection, scope))

    async def verify(self) -> Sequence[str]:
        return await self._read(lambda connection: find_problems(connection, self._analysis))

    async def _read[T](self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def read(connection: Connection) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await work(connection)

        return await self._database.run(read)

    async def _write[T](self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Each may be repeated: what it is to be says what it writes, not what is there."""

        async def write(connection: Connection) -> T:
            async with connection.transaction():
                return await work(connection)

        return await self._database.run(write)

    async def _forget(self, connection: Connection, found: _Found) -> None:
        await self._writer(connection, found.scope, found.number).lay_out(())
        await connection.execute("delete from idolchat.memory_conversations where number = $1", found.number)
        await connection.execute(_DROP_EMPTY_SCOPE, found.scope)

    def _writer(self, connection: Connection, scope: int, conversation: int) -> ConversationWriter:
        return ConversationWriter(connection, scope, conversation, self._analysis)


async def _find(connection: Connection, conversation_id: UUID, *, locks: bool = False) -> _Found | None:
    """Find a conversation; other writers of its scope wait until a transaction that ``locks`` is over."""
    row = await connection.fetchrow(f"{_FIND} for update" if locks else _FIND, conversation_id)
    return _Found(*row) if row is not None else None


async def _make(connection: Connection, scope: MemoryScope, conversation_id: UUID) -> None:
    """Make a conversation, unless another process has made it just now."""
    user = None if scope.user_id is None else to_bytes(scope.user_id)
    scope_number = await connection.fetchval(_MAKE_SCOPE, user, scope_key(scope))
    await connection.execute(_MAKE, scope_number, conversation_id)


async def _clear(connection: Connection) -> None:
    for table in (*TABLES, "memory_scopes"):
        await connection.execute(f"delete from idolchat.{table}")  # noqa: S608 - our names
