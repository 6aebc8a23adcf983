"""The index of memory in one SQLite file: derived, and made anew when it is damaged or of another version."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Concatenate
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
    WorkerThreads,
)
from idolchat_memory.sqlite import conversations as stored
from idolchat_memory.sqlite import vectors as stored_vectors
from idolchat_memory.sqlite.database import connect, explained, find_scope, prepare, scope_of, transaction
from idolchat_memory.sqlite.reader import SqliteScopeReader
from idolchat_memory.sqlite.verification import count, find_problems
from idolchat_memory.terms import ANALYSIS

__all__ = ["SqliteMemoryIndex", "open_sqlite_index"]

_READERS = 4
_READER_KIB = 512
"""Threads that read, and the pages that each has at hand: with four times as many, questions take as long, in an index
of 28 MB, and those seldom used fill theirs over tens of thousands of turns."""


_SEVERAL = -1
"""In place of the hash of a conversation, which is never this."""


class SqliteMemoryIndex(MemoryIndex):
    """One file, with one writer at a time and any number of readers; other processes may use it too."""

    def __init__(self, path: Path, analysis: TextAnalysis = ANALYSIS) -> None:
        prepare(path, analysis)
        self._path = path
        self._analysis = analysis
        self._writing = WorkerThreads(1, name="idolchat-memory-writer")
        self._reading = WorkerThreads(_READERS, name="idolchat-memory-reader")
        self._idle_readers: list[sqlite3.Connection] = []
        # Which scopes, and users, may hold something, each with the one conversation that does: all as hashes.
        self._held: dict[int, int] = {}
        with explained():
            self._writer = connect(path)
            for key, conversation_id in self._writer.execute(stored.HELD):
                self._remember(scope_of(key), UUID(bytes=conversation_id))

    def close(self) -> None:
        """Close the file when what was begun is done: a thread goes on though its task was cancelled."""
        self._writing.close()
        self._writer.close()
        self._reading.close()
        while self._idle_readers:
            self._idle_readers.pop().close()

    async def read[T](self, scope: MemoryScope, work: Callable[[ScopeReader], T]) -> T:
        return await self._read(lambda database: work(SqliteScopeReader(database, find_scope(database, scope))))

    def is_empty(self, scope: MemoryScope, *, but: UUID | None = None) -> bool:
        return self._holds_nothing(hash(scope), but)

    def holds_nothing_of(self, user_id: str | None, *, but: UUID | None = None) -> bool:
        return self._holds_nothing(hash(("user", user_id)), but)

    async def scopes_of(self, user_id: str | None, *, limit: int) -> Sequence[MemoryScope]:
        keys = await self._read(lambda database: stored.scopes_of(database, user_id, limit))
        return [scope_of(key) for key in keys]

    async def known(self, conversation_id: UUID) -> KnownConversation | None:
        known = await self._read(lambda database: stored.known(database, conversation_id))
        if known is not None and known.last_message_id is not None:  # another process may have brought the scope
            self._remember(known.scope, conversation_id)
        return known

    async def conversations(self) -> Mapping[UUID, str]:
        return await self._read(stored.list_all)

    async def extend(
        self, conversation_id: UUID, messages: Sequence[MemoryMessage], *, after: str, revision: str
    ) -> bool:
        removed = await self._write(stored.extend, self._analysis, conversation_id, messages, after, revision)
        await self._forgotten(removed)
        return removed is not None

    async def replace(
        self, scope: MemoryScope, conversation_id: UUID, messages: Sequence[MemoryMessage], *, revision: str
    ) -> None:
        if messages:
            self._remember(scope, conversation_id)
        removed = await self._write(stored.replace, self._analysis, scope, conversation_id, messages, revision)
        await self._forgotten(removed)

    async def delete_conversation(self, conversation_id: UUID) -> None:
        await self._forgotten(await self._write(stored.delete, self._analysis, conversation_id))

    async def delete_user(self, user_id: str) -> int:
        removed = await self._write(stored.delete_user, user_id)
        await self._forgotten(removed)
        return removed

    async def clear(self) -> None:
        await self._write(stored.clear)
        await self._forgotten(1)

    async def unencoded(self, encoding: str, *, limit: int) -> Sequence[Unencoded]:
        return await self._write(stored_vectors.unencoded, encoding, limit)

    async def put_vectors(self, encoding: str, vectors: Sequence[tuple[Unencoded, bytes]]) -> None:
        await self._write(stored_vectors.put, encoding, vectors)

    async def stats(self, scope: MemoryScope | None = None) -> MemoryStats:
        return await self._read(lambda database: count(database, scope, self._path))

    async def verify(self) -> Sequence[str]:
        return await self._read(lambda database: find_problems(database, self._analysis))

    def _holds_nothing(self, key: int, but: UUID | None) -> bool:
        only = self._held.get(key)
        return only is None or (but is not None and only == hash(but))

    def _remember(self, scope: MemoryScope, conversation_id: UUID) -> None:
        only = hash(conversation_id)
        for key in (hash(scope), hash(("user", scope.user_id))):
            if self._held.setdefault(key, only) != only:
                self._held[key] = _SEVERAL

    async def _forgotten(self, removed: int | None) -> None:
        """Empty the write-ahead log, so that it holds nothing of what was removed."""
        if removed:
            await self._writing.ask(self._empty_log)

    async def _write[**P, T](
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def written() -> T:
            with explained(), transaction(self._writer, writes=True):
                return work(self._writer, *args, **kwargs)

        return await self._writing.ask(written)

    async def _read[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        def found() -> T:
            with explained():
                database = self._take_reader()
                try:
                    with transaction(database, writes=False):
                        return work(database)
                finally:
                    self._idle_readers.append(database)

        return await self._reading.ask(found)

    def _take_reader(self) -> sqlite3.Connection:
        try:
            return self._idle_readers.pop()
        except IndexError:
            database = connect(self._path)
            database.execute(f"PRAGMA cache_size = -{_READER_KIB}")
            return database

    def _empty_log(self) -> None:
        with explained():
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@asynccontextmanager
async def open_sqlite_index(path: Path, analysis: TextAnalysis = ANALYSIS) -> AsyncGenerator[SqliteMemoryIndex]:
    """Open the index in a file, which is made when it is missing. Raises ``StorageUnavailable``."""
    index = await asyncio.to_thread(SqliteMemoryIndex, path, analysis)
    try:
        yield index
    finally:
        await asyncio.to_thread(index.close)
