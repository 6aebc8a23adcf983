"""Counting what is in the file, and checking that it agrees with itself."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from idolchat_core import (
    PLACES_PER_SESSION,
    SESSION_GAP_S,
    TRAIT_BITS,
    MemoryScope,
    MemoryStats,
    TextAnalysis,
    posting_of,
)
from idolchat_memory.sqlite.database import find_scope
from idolchat_memory.sqlite.postings import everything
from idolchat_memory.sqlite.sessions import COLUMNS, Session
from idolchat_memory.sqlite.writer import counts_of

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
    found = None if scope is None else find_scope(database, scope)
    condition, values = ("", ()) if scope is None else (" WHERE scope = ?", (found.number if found else None,))
    conversations, messages, encoded = (
        database.execute(f"SELECT count(*) FROM {table}{condition}", values).fetchone()[0]  # noqa: S608 - our names
        for table in _TABLES
    )
    [[scopes]] = database.execute("SELECT count(*) FROM scopes").fetchall()
    return MemoryStats(
        scopes=scopes if scope is None else int(found is not None),
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
    wanted: set[tuple[str, int]] = set()
    lengths: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for place, text in database.execute("SELECT place, text FROM messages WHERE scope = ? ORDER BY place", (scope,)):
        length, counts = counts_of(analysis, text)
        wanted |= {(term, posting_of(place, length, count)) for term, count in counts.items()}
        lengths[place // PLACES_PER_SESSION].append((place % PLACES_PER_SESSION, length))
    listed = list(everything(database, scope))
    found = set(listed)
    if found != wanted or len(listed) > len(found):
        missing, surplus = len(wanted - found), len(found - wanted) + len(listed) - len(found)
        yield f"scope {scope}: {missing} postings are missing, {surplus} are of no message"
    yield from _sessions_of(database, scope, lengths)


def _sessions_of(database: sqlite3.Connection, scope: int, lengths: dict[int, list[tuple[int, int]]]) -> Iterator[str]:
    rows = database.execute(f"SELECT {COLUMNS}, message_count FROM sessions WHERE scope = ?", (scope,))  # noqa: S608
    found = {session.number: (session, count) for *row, count in rows for session in (Session.of(tuple(row)),)}
    wrong = {number for number in found.keys() | lengths.keys() if not _agrees(found.get(number), lengths.get(number))}
    if wrong:
        yield f"scope {scope}: {len(wrong)} sessions disagree with their messages"
    for number, (session, _) in found.items():
        at = [at for at, _ in lengths.get(number, ())]
        if at != list(range(len(at))) or _has_gap([message >> TRAIT_BITS for message in session.messages]):
            yield f"scope {scope}: the places of session {number} are not in a row"
    totals = tuple(
        database.execute(
            "SELECT message_count, session_count, length FROM scopes WHERE number = ?", (scope,)
        ).fetchone()
    )
    each = [length for session in lengths.values() for _, length in session]
    if totals != (len(each), len(lengths), sum(each)):
        yield f"scope {scope}: its totals disagree with its messages"


def _agrees(found: tuple[Session, int] | None, lengths: Sequence[tuple[int, int]] | None) -> bool:
    if found is None or not lengths:
        return False
    session, count = found
    times = [message >> TRAIT_BITS for message in session.messages]
    return (
        len(times) == len(lengths) == count
        and session.length == sum(length for _, length in lengths)
        and (session.first_at, session.last_at) == (min(times), max(times))
    )


def _has_gap(times: Sequence[int]) -> bool:
    latest = times[0] if times else 0
    for time in times:
        if time - latest > SESSION_GAP_S * 1_000_000:
            return True
        latest = max(latest, time)
    return False
