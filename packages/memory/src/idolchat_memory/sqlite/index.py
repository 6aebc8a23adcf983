"""The index of memory in one SQLite file: derived, and made anew when it is damaged or of another version."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Concatenate
from uuid import UUID

from idolchat_core import InvalidRequest
from idolchat_memory.contract import (
    KnownConversation,
    MemoryIndex,
    MemoryMessage,
    MemoryScope,
    MemoryStats,
    ScopeReader,
    Unencoded,
)
from idolchat_memory.sqlite import vectors as stored_vectors
from idolchat_memory.sqlite.database import connect, explained, find_scope, prepare, scope_key, transaction
from idolchat_memory.sqlite.reader import SqliteScopeReader
from idolchat_memory.sqlite.verification import count, find_problems
from idolchat_memory.sqlite.writer import ConversationWriter

__all__ = ["SqliteMemoryIndex", "open_sqlite_index"]


class SqliteMemoryIndex(MemoryIndex):
    """One file, with one writer at a time and any number of readers; other processes may use it too."""

    def __init__(self, path: Path) -> None:
        prepare(path)
        self._path = path
        self._writing = threading.Lock()
        self._idle_readers: list[sqlite3.Connection] = []
        with explained():
            self._writer = connect(path)

    def close(self) -> None:
        """Close the file; nothing may be running."""
        self._writer.close()
        while self._idle_readers:
            self._idle_readers.pop().close()

    async def read[T](self, scope: MemoryScope, work: Callable[[ScopeReader], T]) -> T:
        return await asyncio.to_thread(
            self._read, lambda database: work(SqliteScopeReader(database, find_scope(database, scope)))
        )

    async def known(self, scope: MemoryScope, conversation_id: UUID) -> KnownConversation | None:
        return await asyncio.to_thread(self._read, lambda database: _known(database, scope, conversation_id))

    async def append(
        self, scope: MemoryScope, conversation_id: UUID, messages: Sequence[MemoryMessage], *, revision: int
    ) -> bool:
        return await self._change(
            scope, conversation_id, revision, lambda conversation: conversation.append(messages), create=True
        )

    async def replace(
        self,
        scope: MemoryScope,
        conversation_id: UUID,
        active: Sequence[MemoryMessage],
        *,
        inactive: Sequence[MemoryMessage] = (),
        revision: int,
    ) -> bool:
        return await self._change(
            scope, conversation_id, revision, lambda conversation: conversation.lay_out(active, inactive), create=True
        )

    async def set_active_branch(
        self, scope: MemoryScope, conversation_id: UUID, message_ids: Sequence[str], *, revision: int
    ) -> bool:
        return await self._change(
            scope, conversation_id, revision, lambda conversation: _choose(conversation, message_ids), create=False
        )

    async def delete_message(self, scope: MemoryScope, conversation_id: UUID, message_id: str) -> None:
        await self._forget(_delete_message, scope, conversation_id, message_id)

    async def delete_conversation(self, scope: MemoryScope, conversation_id: UUID) -> None:
        await self._forget(_delete_conversation, scope, conversation_id)

    async def delete_scope(self, scope: MemoryScope) -> None:
        await self._forget(_delete_scopes, "key = ?", scope_key(scope))

    async def delete_user(self, user_id: str) -> None:
        await self._forget(_delete_scopes, "user_id = ?", str(user_id))

    async def unencoded(self, encoding: str, *, limit: int) -> Sequence[Unencoded]:
        return await self._write(stored_vectors.unencoded, encoding, limit)

    async def put_vectors(self, encoding: str, vectors: Sequence[tuple[Unencoded, bytes]]) -> None:
        await self._write(stored_vectors.put, encoding, vectors)

    async def stats(self, scope: MemoryScope | None = None) -> MemoryStats:
        return await asyncio.to_thread(self._read, lambda database: count(database, scope, self._path))

    async def verify(self) -> Sequence[str]:
        return await asyncio.to_thread(self._read, find_problems)

    async def _change(
        self,
        scope: MemoryScope,
        conversation_id: UUID,
        revision: int,
        work: Callable[[ConversationWriter], None],
        *,
        create: bool,
    ) -> bool:
        def changed(database: sqlite3.Connection) -> bool:
            conversation = _claim(database, scope, conversation_id, revision, create=create)
            if conversation is not None:
                work(conversation)
            return conversation is not None

        return await self._write(changed)

    async def _forget[**P](
        self, work: Callable[Concatenate[sqlite3.Connection, P], None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        def forgotten(database: sqlite3.Connection) -> None:
            work(database, *args, **kwargs)
            database.execute(
                "DELETE FROM scopes WHERE NOT EXISTS (SELECT 1 FROM conversations WHERE scope = scopes.number)"
            )

        await self._write(forgotten)
        await asyncio.to_thread(self._empty_log)

    async def _write[**P, T](
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def written() -> T:
            with explained(), self._writing, transaction(self._writer, writes=True):
                return work(self._writer, *args, **kwargs)

        return await asyncio.to_thread(written)

    def _read[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        with explained():
            database = self._take_reader()
            try:
                with transaction(database, writes=False):
                    return work(database)
            finally:
                self._idle_readers.append(database)

    def _take_reader(self) -> sqlite3.Connection:
        try:
            return self._idle_readers.pop()
        except IndexError:
            return connect(self._path)

    def _empty_log(self) -> None:
        """Have the write-ahead log hold nothing of what was deleted."""
        with explained(), self._writing:
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@asynccontextmanager
async def open_sqlite_index(path: Path) -> AsyncGenerator[SqliteMemoryIndex]:
    """Open the index in a file, which is made when it is missing. Raises ``StorageUnavailable``."""
    with closing(await asyncio.to_thread(SqliteMemoryIndex, path)) as index:
        yield index


def _known(database: sqlite3.Connection, scope: MemoryScope, conversation_id: UUID) -> KnownConversation | None:
    number = find_scope(database, scope)
    row = _find(database, number, conversation_id)
    if number is None or row is None:
        return None
    conversation = ConversationWriter(database, number, row[0])
    newest = conversation.newest()
    return KnownConversation(row[1], conversation.message_count(), newest.message_id if newest else None)


def _find(database: sqlite3.Connection, scope: int | None, conversation_id: UUID) -> tuple[int, int] | None:
    found: tuple[int, int] | None = database.execute(
        "SELECT number, revision FROM conversations WHERE scope = ? AND id = ?", (scope, conversation_id.bytes)
    ).fetchone()
    return found


def _claim(
    database: sqlite3.Connection, scope: MemoryScope, conversation_id: UUID, revision: int, *, create: bool
) -> ConversationWriter | None:
    """Set the revision of a conversation; None where that is not to be written."""
    number = find_scope(database, scope)
    row = _find(database, number, conversation_id)
    if number is not None and row is not None:
        if revision <= row[1]:
            return None
        database.execute("UPDATE conversations SET revision = ? WHERE number = ?", (revision, row[0]))
        return ConversationWriter(database, number, row[0])
    if not create:
        return None
    database.execute(
        "INSERT INTO scopes (user_id, key) VALUES (?, ?) ON CONFLICT DO NOTHING", (scope.user_id, scope_key(scope))
    )
    number = find_scope(database, scope)
    made = database.execute(
        "INSERT INTO conversations (scope, id, revision) VALUES (?, ?, ?) RETURNING number",
        (number, conversation_id.bytes, revision),
    ).fetchone()
    assert number is not None  # noqa: S101 - it was just made
    return ConversationWriter(database, number, made[0])


def _choose(conversation: ConversationWriter, message_ids: Sequence[str]) -> None:
    known = {message.message_id: message for _, message in conversation.active()}
    known |= {message.message_id: message for message in conversation.inactive()}
    missing = [message_id for message_id in message_ids if message_id not in known]
    if missing:
        raise InvalidRequest(f"the memory index knows no message {missing[0]}", param="message_ids")
    active = [known.pop(message_id) for message_id in message_ids]
    conversation.lay_out(active, known.values())


def _delete_message(database: sqlite3.Connection, scope: MemoryScope, conversation_id: UUID, message_id: str) -> None:
    number = find_scope(database, scope)
    row = _find(database, number, conversation_id)
    if number is None or row is None:
        return
    conversation = ConversationWriter(database, number, row[0])
    active = [message for _, message in conversation.active() if message.message_id != message_id]
    conversation.lay_out(active, [one for one in conversation.inactive() if one.message_id != message_id])


def _delete_conversation(database: sqlite3.Connection, scope: MemoryScope, conversation_id: UUID) -> None:
    number = find_scope(database, scope)
    row = _find(database, number, conversation_id)
    if number is None or row is None:
        return
    ConversationWriter(database, number, row[0]).lay_out((), ())
    database.execute("DELETE FROM conversations WHERE number = ?", (row[0],))


def _delete_scopes(database: sqlite3.Connection, condition: str, value: str) -> None:
    numbers = database.execute(f"SELECT number FROM scopes WHERE {condition}", (value,)).fetchall()  # noqa: S608
    for table in ("conversations", "sessions", "messages", "inactive", "postings", "vectors"):
        database.executemany(f"DELETE FROM {table} WHERE scope = ?", numbers)  # noqa: S608 - our names
