"""Counting what the index holds, and checking that it agrees with itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import datetime, timedelta

from idolchat_core import PLACES_PER_SESSION, SESSION_GAP_S, MemoryScope, MemoryStats, TextAnalysis
from idolchat_storage_postgres.database import Connection
from idolchat_storage_postgres.memory.values import TABLES, scope_key, text_of, weights_of

__all__ = ["count", "find_problems"]

_GAP = timedelta(seconds=SESSION_GAP_S)
_COUNT = """
select (select count(*) from idolchat.memory_scopes where $1::bytea is null or key = $1) as scopes,
  (select count(*) from idolchat.memory_conversations where $1::bytea is null or scope = n) as conversations,
  (select count(*) from idolchat.memory_messages where $1::bytea is null or scope = n) as messages,
  (select count(*) from idolchat.memory_vectors where $1::bytea is null or scope = n) as encoded_messages,
  (select sum(pg_total_relation_size(c.oid))::bigint from pg_class c join pg_namespace s on s.oid = c.relnamespace
    where s.nspname = 'idolchat' and c.relname like 'memory\\_%' and c.relkind = 'r') as size_bytes
from (select (select number from idolchat.memory_scopes where key = $1)) x(n)
"""
_STRAY = """
select count(*) from idolchat.{table} t where not exists (select from idolchat.memory_scopes where number = t.scope)
"""
_VECTORS_OF_NOTHING = """
select count(*) from idolchat.memory_vectors v where not exists
  (select from idolchat.memory_messages m where m.scope = v.scope and m.place = v.place)
"""
_MISCOUNTED = f"""
select count(*) from idolchat.memory_sessions s where encoded_count <> (
  select count(*) from idolchat.memory_vectors v where v.scope = s.scope
    and v.place >= s.number * {PLACES_PER_SESSION} and v.place < s.number * {PLACES_PER_SESSION} + s.encoded_count)
"""  # noqa: S608 - our names
_MESSAGES = "select place, said_at, text from idolchat.memory_messages where scope = $1 order by place"
_SESSIONS = """
select number, message_count, length, first_at, last_at from idolchat.memory_sessions where scope = $1
"""
_TOTALS = "select message_count, session_count, length from idolchat.memory_scopes where number = $1"

type _Sessions = dict[int, list[tuple[int, datetime, int]]]


async def count(connection: Connection, scope: MemoryScope | None) -> MemoryStats:
    """See ``MemoryIndex.stats``; the size is that of the whole index."""
    row = await connection.fetchrow(_COUNT, None if scope is None else scope_key(scope))
    return MemoryStats(**dict(row or {}))


async def find_problems(connection: Connection, analysis: TextAnalysis) -> Sequence[str]:
    """See ``MemoryIndex.verify``."""
    problems = [problem async for problem in _strays(connection)]
    for row in await connection.fetch("select number from idolchat.memory_scopes order by number"):
        problems += [problem async for problem in _problems_of(connection, row["number"], analysis)]
    return problems


async def _strays(connection: Connection) -> AsyncGenerator[str]:
    for table in TABLES:
        if found := await connection.fetchval(_STRAY.format(table=table)):
            yield f"{found} rows of {table} are of no scope"
    if found := await connection.fetchval(_VECTORS_OF_NOTHING):
        yield f"{found} rows of memory_vectors are of no message"
    if found := await connection.fetchval(_MISCOUNTED):
        yield f"{found} sessions disagree with their vectors"


async def _problems_of(connection: Connection, scope: int, analysis: TextAnalysis) -> AsyncGenerator[str]:
    wanted: set[tuple[bytes, int, int]] = set()
    sessions: _Sessions = defaultdict(list)
    for place, said_at, text in await connection.fetch(_MESSAGES, scope):
        length, weights = weights_of(analysis, text_of(text))
        wanted |= {(term, place, weight) for term, weight in weights.items()}
        sessions[place // PLACES_PER_SESSION].append((place % PLACES_PER_SESSION, said_at, length))
    rows = await connection.fetch("select term, place, weight from idolchat.memory_postings where scope = $1", scope)
    found = {tuple(row) for row in rows}
    if found != wanted:
        yield f"scope {scope}: {len(wanted - found)} postings are missing, {len(found - wanted)} are of no message"
    kept = {number: tuple(row) for number, *row in await connection.fetch(_SESSIONS, scope)}
    totals = tuple(await connection.fetchrow(_TOTALS, scope) or ())
    for problem in _session_problems(sessions, kept, totals):
        yield f"scope {scope}: {problem}"


def _session_problems(
    sessions: _Sessions, kept: dict[int, tuple[object, ...]], totals: tuple[object, ...]
) -> Iterator[str]:
    wanted = {
        number: (len(rows), sum(row[2] for row in rows), min(row[1] for row in rows), max(row[1] for row in rows))
        for number, rows in sessions.items()
    }
    if kept != wanted:
        yield f"{len(kept.items() ^ wanted.items())} sessions disagree with their messages"
    for number, rows in sessions.items():
        if [row[0] for row in rows] != list(range(len(rows))) or _has_gap([row[1] for row in rows]):
            yield f"the places of session {number} are not in a row"
    if totals != (sum(row[0] for row in wanted.values()), len(wanted), sum(row[1] for row in wanted.values())):
        yield "its totals disagree with its messages"


def _has_gap(times: Sequence[datetime]) -> bool:
    latest = times[0]
    for time in times:
        if time - latest > _GAP:
            return True
        latest = max(latest, time)
    return False
