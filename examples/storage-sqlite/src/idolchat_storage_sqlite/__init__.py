"""An example of a storage plugin: every conversation is a row of one SQLite file."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from idolchat_core import CoreSettings, KeyValueStorage, Registry, Storage, StorageUnavailable, hookimpl, read_settings

GET = "SELECT value FROM documents WHERE key = ?"
PUT = "INSERT OR REPLACE INTO documents VALUES (?, ?)"
DELETE = "DELETE FROM documents WHERE key = ?"
INSERT = "INSERT OR IGNORE INTO documents VALUES (?, ?) RETURNING key"
REPLACE = "UPDATE documents SET value = ? WHERE key = ? AND value = ? RETURNING key"
REMOVE = "DELETE FROM documents WHERE key = ? AND value = ? RETURNING key"
LIST = "SELECT key FROM documents WHERE substr(key, 1, ?) = ?"


class SqliteStorage(KeyValueStorage):
    """Keeps documents in a table of keys and values; core does the rest."""

    def __init__(self, database: sqlite3.Connection) -> None:
        super().__init__()
        self._database = database
        self._alone = asyncio.Lock()

    async def get_value(self, key: str) -> bytes | None:
        rows = await self._execute(GET, key)
        return rows[0][0] if rows else None

    async def put_value(self, key: str, value: bytes) -> None:
        await self._execute(PUT, key, value)

    async def delete_value(self, key: str) -> None:
        await self._execute(DELETE, key)

    async def replace_value(self, key: str, value: bytes | None, *, expected: bytes | None) -> bool:
        if value is None:
            return bool(await self._execute(REMOVE, key, expected))
        if expected is None:
            return bool(await self._execute(INSERT, key, value))
        return bool(await self._execute(REPLACE, value, key, expected))

    async def list_keys(self, prefix: str) -> Sequence[str]:
        return [key for (key,) in await self._execute(LIST, len(prefix), prefix)]

    async def _execute(self, sql: str, *values: str | bytes | int | None) -> list[Any]:
        # Shielded, so that a statement whose caller leaves is over before the next one begins.
        return await asyncio.shield(self._alone_execute(sql, values))

    async def _alone_execute(self, sql: str, values: Sequence[str | bytes | int | None]) -> list[Any]:
        async with self._alone:
            try:
                return await asyncio.to_thread(lambda: self._database.execute(sql, values).fetchall())
            except sqlite3.Error as error:
                raise StorageUnavailable(f"the SQLite file cannot be used: {error}") from error


@asynccontextmanager
async def open_sqlite_storage(path: Path | None = None) -> AsyncGenerator[SqliteStorage]:
    """Open ``idolchat.sqlite`` in the data folder, or another file."""
    path = path or read_settings(CoreSettings).data_dir / "idolchat.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, autocommit=True, check_same_thread=False)) as database:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
        yield SqliteStorage(database)


@hookimpl
def idolchat_register_storages(registry: Registry[Storage]) -> None:
    """Make it known as ``sqlite``: set ``IDOLCHAT_STORAGE=sqlite``."""
    registry.add("sqlite", open_sqlite_storage, place="IDOLCHAT_DATA_DIR")
