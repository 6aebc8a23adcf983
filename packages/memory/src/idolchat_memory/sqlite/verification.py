"""Counting what is in the file, and checking that it agrees with itself."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from idolchat_core import SESSION_GAP_S, MemoryScope, MemoryStats, TextAnalysis
from idolchat_memory.sqlite.database import PLACES_PER_SESSION, find_scope
from idolchat_memory.sqlite.writer import weights_of

__all__ = ["count", "find_problems"]

_TABLES = ("conversations", "messages", "vectors")
_STRAY = "SELECT count(*) FROM {table} WHERE scope NOT IN (SELECT number FROM scopes)"
_VECTORS_OF_NOTHING = (
    "SELECT count(*) FROM vectors WHERE NOT EXISTS"
    " (SELECT 1 FROM messages WHERE messages.scope = vectors.scope AND messages.place = vectors.place)"
)
_MISCOUNTED = (
    "SELECT count(*) FROM sessions WHERE encoded_count <> (SELECT count(*) FROM vectors"  # noqa: S608 - our names
    f" WHERE vectors.scope = sessions.scope AND place >= sessions.number * {PLACES_PER_SESSION}"
    f" AND place < sessions.number * {PLACES_PER_SESSION} + encoded_count)"
)


def count(database: sqlite3.Connection, scope: MemoryScope | None, path: Path) -> MemoryStats:
    """See ``MemoryIndex.stats``; the size is that of the whole file."""
    number = None if scope is None else find_scope(database, scope)
    condition, values = ("", ()) if scope is None else (" WHERE scope = ?", (number,))
    conversations, messages, encoded = (
        database.execute(f"SELECT count(*) FROM {table}{condition}", values).fetchone()[0]  # noqa: S608 - our names
        for table in _TABLES
    )
    [[scopes]] = database.execute("SELECT count(*) FROM scopes").fetchall()
    return MemoryStats(
        scopes=scopes if scope is None else int(number is not None),
        conversations=conversations,
        messages=messages,
        encoded_messages=encoded,
        size_bytes=path.stat().st_size,
    )


def find_problems(database: sqlite3.Connection, analysis: TextAnalysis) -> Sequence[str]:
    """See ``MemoryIndex.verify``."""
    damage = [row[0] for row in database.execute("PRAGMA quick_check") if row[0] != "ok"]
    if damage:
        return [f"the file is damaged: {line}" for line in damage]
    scopes = [number for (number,) in database.execute("SELECT number FROM scopes")]
    return [*_strays(database), *(problem for scope in scopes for problem in _problems_of(database, scope, analysis))]


def _strays(database: sqlite3.Connection) -> Iterator[str]:
    for table in ("conversations", "sessions", "messages", "postings", "vectors"):
        [[found]] = database.execute(_STRAY.format(table=table)).fetchall()
        if found:
            yield f"{found} rows of {table} are of no scope"
    [[found]] = database.execute(_VECTORS_OF_NOTHING).fetchall()
    if found:
        yield f"{found} rows of vectors are of no message"
    [[found]] = database.execute(_MISCOUNTED).fetchall()
    if found:
        yield f"{found} sessions disagree with their vectors"


def _problems_of(database: sqlite3.Connection, scope: int, analysis: TextAnalysis) -> Iterator[str]:
    wanted: set[tuple[str, int, int]] = set()
    sessions: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for place, said_at, text in database.execute(
        "SELECT place, said_at, text FROM messages WHERE scope = ? ORDER BY place", (scope,)
    ):
        length, weights = weights_of(analysis, text)
        wanted |= {(term, place, weight) for term, weight in weights.items()}
        sessions[place // PLACES_PER_SESSION].append((place % PLACES_PER_SESSION, said_at, length))
    found = set(database.execute("SELECT term, place, weight FROM postings WHERE scope = ?", (scope,)))
    if found != wanted:
        yield f"scope {scope}: {len(wanted - found)} postings are missing, {len(found - wanted)} are of no message"
    yield from _sessions_of(database, scope, sessions)


def _sessions_of(
    database: sqlite3.Connection, scope: int, sessions: dict[int, list[tuple[int, int, int]]]
) -> Iterator[str]:
    wanted = {
        number: (len(rows), sum(row[2] for row in rows), min(row[1] for row in rows), max(row[1] for row in rows))
        for number, rows in sessions.items()
    }
    found = {
        number: tuple(row)
        for number, *row in database.execute(
            "SELECT number, message_count, length, first_at, last_at FROM sessions WHERE scope = ?", (scope,)
        )
    }
    if found != wanted:
        yield f"scope {scope}: {len(found.items() ^ wanted.items())} sessions disagree with their messages"
    for number, rows in sessions.items():
        if [row[0] for row in rows] != list(range(len(rows))) or _has_gap([row[1] for row in rows]):
            yield f"scope {scope}: the places of session {number} are not in a row"
    totals = tuple(
        database.execute(
            "SELECT message_count, session_count, length FROM scopes WHERE number = ?", (scope,)
        ).fetchone()
    )
    if totals != (sum(row[0] for row in wanted.values()), len(wanted), sum(row[1] for row in wanted.values())):
        yield f"scope {scope}: its totals disagree with its messages"


def _has_gap(times: Sequence[int]) -> bool:
    latest = times[0]
    for time in times:
        if time - latest > SESSION_GAP_S * 1_000_000:
            return True
        latest = max(latest, time)
    return False
