"""Reading one scope, from a thread, while the event loop talks to the database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from idolchat_core import MemoryRow, MessageTraits, Posting, ScopeReader, ScopeStatistics
from idolchat_storage_postgres.database import Connection
from idolchat_storage_postgres.memory.values import (
    FOLLOWS_QUESTION,
    IS_OF_CHARACTER,
    IS_QUESTION,
    MESSAGE,
    PLACES_PER_SESSION,
    ROLES,
    message_of,
    text_of,
    to_bytes,
)

__all__ = ["PostgresScopeReader"]

_POSTING = f"place, place / {PLACES_PER_SESSION}, weight & 15, weight >> 4"
_POSTINGS = f"""
select {_POSTING} from idolchat.memory_postings where scope = $1 and term = $2 order by place desc limit $3
"""  # noqa: S608 - our names
_POSTINGS_OF_MANY = f"""
select term, {_POSTING} from idolchat.memory_postings where scope = $1 and term = any($2::bytea[]) limit $3
"""  # noqa: S608 - our names
_SESSION_LENGTHS = "select number, length from idolchat.memory_sessions where scope = $1 and number = any($2::bigint[])"
_BETWEEN = f"""
select m.place from idolchat.memory_sessions s join idolchat.memory_messages m on m.scope = s.scope
  and m.place >= s.number * {PLACES_PER_SESSION} and m.place < (s.number + 1) * {PLACES_PER_SESSION}
where s.scope = $1 and s.last_at >= $2 and s.first_at < $3 and m.said_at >= $2 and m.said_at < $3
order by s.last_at desc, m.place desc limit $4
"""  # noqa: S608 - our names
_TRAITS = """
select place, traits, extract(epoch from said_at)::float8 from idolchat.memory_messages
where scope = $1 and place = any($2::bigint[])
"""
_ROWS = f"""
select m.place, c.id, {MESSAGE} from idolchat.memory_messages m
join idolchat.memory_sessions s on s.number = m.place / {PLACES_PER_SESSION}
join idolchat.memory_conversations c on c.number = s.conversation
where m.scope = $1 and m.place = any($2::bigint[])
"""  # noqa: S608 - our names
_VECTORS = """
select place, tokens from idolchat.memory_vectors where scope = $1 and place = any($2::bigint[])
  and exists (select from idolchat.memory_names where kind = 'encoding' and name = $3)
"""
_STATISTICS = "select message_count, session_count, length from idolchat.memory_scopes where number = $1"


class PostgresScopeReader(ScopeReader):
    """Reads within a transaction that the event loop holds; ``number`` is None for a scope that there is not."""

    def __init__(self, connection: Connection, number: int | None, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._number = number
        self._loop = loop

    def statistics(self) -> ScopeStatistics:
        rows = self._fetch(_STATISTICS)
        return ScopeStatistics(*rows[0]) if rows else ScopeStatistics(0, 0, 0)

    def postings(self, term: str, *, limit: int) -> Sequence[Posting]:
        return [_posting(row) for row in self._fetch(_POSTINGS, to_bytes(term), limit)]

    def postings_of_many(self, terms: Sequence[str], *, limit: int) -> Mapping[str, Sequence[Posting]]:
        found: defaultdict[str, list[Posting]] = defaultdict(list)
        for row in self._fetch(_POSTINGS_OF_MANY, [to_bytes(term) for term in terms], limit):
            found[text_of(row[0])].append((row[1], row[2], row[3], row[4]))
        return found

    def session_lengths(self, sessions: Collection[int]) -> Mapping[int, int]:
        return {row[0]: row[1] for row in self._fetch(_SESSION_LENGTHS, list(sessions))}

    def places_between(self, start: datetime, end: datetime, *, limit: int) -> Sequence[int]:
        return [row[0] for row in self._fetch(_BETWEEN, start, end, limit)]

    def traits(self, places: Iterable[int]) -> Mapping[int, MessageTraits]:
        return {
            place: (ROLES[traits & IS_OF_CHARACTER], said_at, traits & IS_QUESTION > 0, traits & FOLLOWS_QUESTION > 0)
            for place, traits, said_at in self._fetch(_TRAITS, list(places))
        }

    def rows(self, places: Iterable[int]) -> Mapping[int, MemoryRow]:
        found = {}
        for row in self._fetch(_ROWS, list(places)):
            place, conversation_id, *message = row
            found[place] = MemoryRow(place, place // PLACES_PER_SESSION, conversation_id, message_of(message))
        return found

    def vectors(self, places: Iterable[int], encoding: str) -> Mapping[int, bytes]:
        return {row[0]: row[1] for row in self._fetch(_VECTORS, list(places), encoding)}

    def _fetch(self, query: str, *given: Any) -> list[asyncpg.Record]:
        if self._number is None:
            return []
        asked = self._connection.fetch(query, self._number, *given)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()


def _posting(row: asyncpg.Record) -> Posting:
    return row[0], row[1], row[2], row[3]
