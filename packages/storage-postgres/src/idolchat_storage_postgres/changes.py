"""What any process has changed, for those who follow it; and which process does what one alone is to do.

A place among the changes is a transaction: all before it are over, and their changes told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from hashlib import blake2b
from uuid import UUID

from idolchat_core import StoredChange, StoredChanges
from idolchat_storage_postgres.database import Connection, Database

__all__ = ["ChosenTasks", "read_changes"]

_AT_ONCE = 1000
_NOBODY = UUID(int=0)
_CHANGED = """
select id, version, rewritten, changed::text as changed from idolchat.conversations
where (changed, id) > ($1::text::xid8, $2) order by changed, id limit $3
"""
_DELETED = """
select id, null::bigint as version, 0 as rewritten, changed::text as changed from idolchat.deleted d
where (changed, id) > ($1::text::xid8, $2) and not exists (select from idolchat.conversations c where c.id = d.id)
order by changed, id limit $3
"""


async def read_changes(database: Database, since: str | None) -> AsyncGenerator[StoredChanges]:
    """See ``SharedStorage.changes``."""
    # Before what follows is read: a transaction that runs now is looked for again.
    until: str = await database.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text")
    if since is None:
        await database.fetch("delete from idolchat.deleted where at < now() - interval '1 month'")
    start = since if since is not None and since.isdigit() else "0"
    for statement in (_CHANGED, _DELETED):
        place, last = start, _NOBODY
        while rows := await database.fetch(statement, place, last, _AT_ONCE):
            changes = [
                StoredChange(row["id"], None if row["version"] is None else str(row["version"]), str(row["rewritten"]))
                for row in rows
            ]
            place, last = rows[-1]["changed"], rows[-1]["id"]
            yield StoredChanges(changes, start)
    yield StoredChanges((), until)


class ChosenTasks:
    """Locks of this process, on a connection of their own: whoever has a task's lock is chosen for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session = database.session()
        self._using = asyncio.Lock()
        self._held: dict[str, Connection] = {}

    async def has(self, task: str) -> bool:
        """See ``SharedStorage.is_chosen``."""
        key = int.from_bytes(blake2b(f"task {task}".encode(), digest_size=8).digest(), signed=True)

        async def look(connection: Connection) -> bool:
            if self._held.get(task) is connection:
                return bool(await connection.fetchval("select true"))
            return bool(await connection.fetchval("select pg_try_advisory_lock($1)", key))

        async with self._using:
            is_chosen = await self._database.run(look, session=self._session, is_repeatable=False, patience_s=0)
            if is_chosen:
                self._held[task] = await self._session.connection()
        return is_chosen

    async def close(self) -> None:
        """Leave everything to others."""
        async with self._using:
            await self._session.close()
