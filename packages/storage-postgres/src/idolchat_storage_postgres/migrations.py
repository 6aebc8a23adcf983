"""The versions of the schema: numbered files, each run once, in order.

A version works with the code of the one before, so that servers can be replaced one by one: what is added is not
renamed, and what goes, goes one release later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from idolchat_storage_postgres.database import Connection

__all__ = ["has_tables", "newest_version", "read_version", "upgrade_schema"]

_LOCK = 0x1D01C4A7
"""Number of the advisory lock: two who upgrade at once come one after the other."""

_IS_THERE = """
select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'idolchat' and c.relname = 'schema_versions')
"""

_HAS_TABLES = """
select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'idolchat' and c.relkind in ('r', 'p') and c.relname <> 'schema_versions')
"""


@cache
def _versions() -> Mapping[int, str]:
    found = (one for one in files(__package__).joinpath("schema").iterdir() if one.name.endswith(".sql"))
    return {int(one.name.partition(".")[0]): one.read_text("utf-8") for one in sorted(found, key=lambda one: one.name)}


def newest_version() -> int:
    """Return the version of the schema that this package needs."""
    return max(_versions())


async def has_tables(connection: Connection) -> bool:
    """Whether the schema in a database has tables, whatever its version says."""
    return bool(await connection.fetchval(_HAS_TABLES))


async def read_version(connection: Connection) -> int:
    """Return the version of the schema in a database; 0 where there is none."""
    if not await connection.fetchval(_IS_THERE):
        return 0
    return await connection.fetchval("select coalesce(max(version), 0) from idolchat.schema_versions") or 0


async def upgrade_schema(connection: Connection) -> Sequence[int]:
    """Run what is newer than the schema in a database, all or nothing, and return which versions that were."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
        there = await read_version(connection)
        missing = [version for version in _versions() if version > there]
        for version in missing:
            await connection.execute(_versions()[version])
            await connection.execute("insert into idolchat.schema_versions (version) values ($1)", version)
    return missing
