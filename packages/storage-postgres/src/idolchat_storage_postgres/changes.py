"""What any process has changed, for those who follow it; and which process does what one alone is to do.

A place among the changes is a transaction: all before it are over, and their changes told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from uuid import UUID

from idolchat_core import CHOSEN_S, StorageUnavailable, StoredChange, StoredChanges, new_id
from idolchat_storage_postgres.database import Connection, Database

__all__ = ["ChosenTasks", "read_changes"]

LEASE_S = CHOSEN_S + 1.0
"""How long nobody else is chosen: longer than who was chosen relies on, for the answer may have been on its way."""
KEEP_EVERY_S = 1.0
_AT_ONCE = 1000
_NOBODY = UUID(int=0)
_CHANGED = """
select id, version, rewritten, changed::text as changed, null::timestamptz as gone from idolchat.conversations
where (changed, id) > ($1::text::xid8, $2) order by changed, id limit $3
"""
_GONE = """
select g.id, c.version, coalesce(c.rewritten, 0) as rewritten, g.changed::text as changed, g.created_at as gone
from idolchat.gone g left join idolchat.conversations c on c.id = g.id
where (g.changed, g.id) > ($1::text::xid8, $2) order by g.changed, g.id fetch first $3 rows with ties
"""
_FORGET = """
delete from idolchat.gone where at < now() - interval '1 month' and changed < all (
  select convert_from(value, 'UTF8')::xid8 from idolchat.records
  where namespace >= 'mirror.' and namespace < 'mirror/' and name = 'since')
"""
_CHOOSE = """
insert into idolchat.tasks as t (task, owner, until)
select $1, $2, clock_timestamp() + $3 * interval '1 s'
where not exists (select from idolchat.tasks where task = $1 and owner <> $2 and until >= clock_timestamp())
on conflict (task) do update set owner = excluded.owner, until = excluded.until
where t.owner = excluded.owner or t.until < clock_timestamp()
returning true
"""


async def read_changes(database: Database, since: str | None) -> AsyncGenerator[StoredChanges]:
    """See ``SharedStorage.changes``."""
    # Before what follows is read: a transaction that runs now is looked for again.
    until: str = await database.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text")
    if since is None:
        await database.fetch(_FORGET)
    start = since if since is not None and since.isdigit() else "0"
    for statement in (_CHANGED, _GONE):
        place, last = start, _NOBODY
        while rows := await database.fetch(statement, place, last, _AT_ONCE):
            changes = [
                StoredChange(
                    row["id"],
                    None if row["version"] is None else str(row["version"]),
                    str(row["rewritten"]),
                    gone=row["gone"],
                )
                for row in rows
            ]
            place, last = rows[-1]["changed"], rows[-1]["id"]
            yield StoredChanges(changes, start)
    yield StoredChanges((), until)


class ChosenTasks:
    """The tasks of this process, each a lease by the clock of the database.

    What this process was chosen for it keeps, however long it takes. One that stands still loses its leases, as one
    that has died does, and learns it when it asks again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session = database.session(waits_for_disk=False)
        self._using = asyncio.Lock()
        self._owner = new_id()
        self._held: set[str] = set()
        self._is_stopping = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def has(self, task: str) -> bool:
        """See ``SharedStorage.is_chosen``."""

        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())
        return await self._choose(task)

    async def pause(self) -> None:
        """Keep nothing, as a process that stands still."""
        self._is_stopping.set()
        if self._keeping is not None:
            await self._keeping

    async def close(self) -> None:
        """Leave everything to others."""

        async def leave(connection: Connection) -> str:
            return await connection.execute("delete from idolchat.tasks where owner = $1", self._owner)

        await self.pause()
        async with self._using:
            if self._keeping is not None:
                with suppress(StorageUnavailable):  # the leases end by themselves
                    await self._database.run(leave, session=self._session, patience_s=0)
            await self._session.close()

    async def _keep(self) -> None:
        while not self._is_stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_EVERY_S):
                    await self._is_stopping.wait()
            for task in tuple(self._held):
                with suppress(StorageUnavailable):  # whoever does the task asks again, and is told
                    await self._choose(task)

    async def _choose(self, task: str) -> bool:
        async def choose(connection: Connection) -> bool:
            return bool(await connection.fetchval(_CHOOSE, task, self._owner, LEASE_S))

        async with self._using:
            is_chosen = await self._database.run(choose, session=self._session, patience_s=0)
        (self._held.add if is_chosen else self._held.discard)(task)
        return is_chosen
