"""Small named values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from idolchat_core import NO_RECORD, Record, StorageConflict, check_record_version, record_version
from idolchat_storage_postgres.batch import BatchedStatement
from idolchat_storage_postgres.conversations import columns
from idolchat_storage_postgres.database import Connection, Database

__all__ = ["PUT_RECORD", "PutRecord", "delete_record", "list_names", "list_namespaces", "read_record", "replace_record"]

_PUT = """
insert into idolchat.records (namespace, name, version, value)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
on conflict (namespace, name) do update set version = excluded.version, value = excluded.value
"""
_MAKE = """
insert into idolchat.records (namespace, name, version, value) values ($1, $2, $3, $4)
on conflict do nothing returning version
"""
_REPLACE = """
update idolchat.records set version = $3, value = $4 where namespace = $1 and name = $2 and version = $5
returning version
"""
_READ = "select value, version from idolchat.records where namespace = $1 and name = $2"
_VERSION = "select version from idolchat.records where namespace = $1 and name = $2"
_NAMES = "select name from idolchat.records where namespace = $1 and name > $2 order by name"
_NAMESPACES = """
with recursive
r(namespace) as (
  (select namespace from idolchat.records order by namespace limit 1)
  union all
  select (select x.namespace from idolchat.records x where x.namespace > r.namespace order by x.namespace limit 1)
  from r where r.namespace is not null),
l(namespace) as (
  (select namespace from idolchat.log_lines order by namespace limit 1)
  union all
  select (select x.namespace from idolchat.log_lines x where x.namespace > l.namespace order by x.namespace limit 1)
  from l where l.namespace is not null)
select namespace from r where namespace is not null union select namespace from l where namespace is not null order by 1
"""


class PutRecord(NamedTuple):
    """A value to write whatever is there."""

    namespace: str
    name: str
    value: bytes


async def _put(connection: Connection, operations: Sequence[PutRecord]) -> Sequence[str]:
    # Of several values for one record the last one stays; in order, so that two statements do not wait for each other.
    last = {(one.namespace, one.name): one for one in operations}
    rows = [(*key, record_version(one.value), one.value) for key, one in sorted(last.items())]
    await connection.execute(_PUT, *columns(rows, 4))
    return [record_version(one.value) for one in operations]


PUT_RECORD: BatchedStatement[PutRecord, str] = BatchedStatement(_put, size_of=lambda one: len(one.value))
"""Gives the version."""


async def read_record(database: Database, namespace: str, name: str) -> Record | None:
    """See ``Storage.read_record``."""
    row = await database.fetchrow(_READ, namespace, name)
    return None if row is None else Record(row["value"], row["version"])


async def replace_record(database: Database, one: PutRecord, *, if_version: str) -> str:
    """Write a value in place of the one of a version. Raises ``StorageConflict``."""
    version = record_version(one.value)
    arguments = (one.namespace, one.name, version, one.value)
    query = (_MAKE, *arguments) if if_version == NO_RECORD else (_REPLACE, *arguments, if_version)
    # Repeated, it could not be told from another writer's.
    done = await database.run(lambda connection: connection.fetchval(*query), is_repeatable=False)
    if done is None:
        await _explain(database, one.namespace, one.name, if_version)
    return version


async def delete_record(database: Database, namespace: str, name: str, *, if_version: str | None) -> None:
    """Remove a value. Raises ``StorageConflict``."""
    if if_version == NO_RECORD:
        check_record_version(namespace, name, await _version(database, namespace, name), if_version)
        return
    condition, arguments = ("", ()) if if_version is None else (" and version = $3", (if_version,))
    sql = f"delete from idolchat.records where namespace = $1 and name = $2{condition} returning version"  # noqa: S608
    done = await database.run(
        lambda connection: connection.fetchval(sql, namespace, name, *arguments), is_repeatable=if_version is None
    )
    if done is None and if_version is not None:
        await _explain(database, namespace, name, if_version)


async def list_names(database: Database, namespace: str, *, after: str, limit: int | None) -> Sequence[str]:
    """See ``Storage.list_records``."""
    if limit is None:
        rows = await database.fetch(_NAMES, namespace, after)
    else:
        rows = await database.fetch(f"{_NAMES} limit $3", namespace, after, limit)
    return [row["name"] for row in rows]


async def list_namespaces(database: Database) -> Sequence[str]:
    """See ``Storage.list_namespaces``."""
    return [row["namespace"] for row in await database.fetch(_NAMESPACES)]


async def _version(database: Database, namespace: str, name: str) -> str:
    found: str | None = await database.fetchval(_VERSION, namespace, name)
    return NO_RECORD if found is None else found


async def _explain(database: Database, namespace: str, name: str, if_version: str) -> None:
    """Raise the ``StorageConflict`` that a writer has met."""
    check_record_version(namespace, name, await _version(database, namespace, name), if_version)
    raise StorageConflict(f"record {namespace}/{name} was changed just now; read it again")
