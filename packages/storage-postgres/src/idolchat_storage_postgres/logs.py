"""Logs: rows of lines, found again at the same offsets by all.

Places are given out before a row can be seen, and a smaller one may appear after a larger one. So whoever adds holds a
shared lock of the log until it can be seen, and whoever reads has waited for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from idolchat_storage_postgres.batch import BatchedStatement
from idolchat_storage_postgres.conversations import columns
from idolchat_storage_postgres.database import Connection, Database

__all__ = ["ADD_LINES", "AddLines", "list_logs", "lock_of", "read_log"]

_ADD = """
with gate as materialized (select count(pg_advisory_xact_lock_shared(k)) from unnest($1::bigint[]) x(k))
insert into idolchat.log_lines (namespace, name, lines)
select x.* from gate, unnest($2::text[], $3::text[], $4::bytea[]) x
"""
_READ = """
select lines, ends from (
  select place, lines, sum(octet_length(lines)) over (order by place) as ends
  from idolchat.log_lines where namespace = $1 and name = $2) x
where ends > $3 order by place
"""
_NAMES = """
with recursive n(name) as (
  (select name from idolchat.log_lines where namespace = $1 order by name limit 1)
  union all
  select (select x.name from idolchat.log_lines x where x.namespace = $1 and x.name > n.name order by x.name limit 1)
  from n where n.name is not null)
select name from n where name is not null
"""


class AddLines(NamedTuple):
    """Lines for the end of a log."""

    namespace: str
    name: str
    lines: bytes


def lock_of(namespace: str, name: str) -> int:
    """Return the number of a log's advisory lock."""
    digest = blake2b(f"log {namespace}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


async def _add(connection: Connection, operations: Sequence[AddLines]) -> Sequence[None]:
    together: dict[tuple[str, str], list[bytes]] = {}
    for one in operations:
        together.setdefault((one.namespace, one.name), []).append(one.lines)
    rows = [(lock_of(*log), *log, b"".join(lines)) for log, lines in together.items()]
    await connection.execute(_ADD, *columns(rows, 4))
    return [None] * len(operations)


# Not repeatable: lines whose writing was not acknowledged may be there.
ADD_LINES: BatchedStatement[AddLines, None] = BatchedStatement(
    _add, is_repeatable=False, size_of=lambda one: len(one.lines)
)


async def read_log(database: Database, namespace: str, name: str, *, start: int) -> bytes:
    """See ``Storage.read_log``."""

    async def read(connection: Connection) -> bytes:
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", lock_of(namespace, name))
            rows = await connection.fetch(_READ, namespace, name, start)
        found = b"".join(row["lines"] for row in rows)
        return found[start - (rows[0]["ends"] - len(rows[0]["lines"])) :] if rows else b""

    return await database.run(read)


async def list_logs(database: Database, namespace: str) -> Sequence[str]:
    """See ``Storage.list_logs``."""
    return [row["name"] for row in await database.fetch(_NAMES, namespace)]
