"""Reading one scope, from a thread, while the event loop talks to the database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from idolchat_core import (
    PLACES_PER_SESSION,
    TRAIT_BITS,
    WEIGHT_BITS,
    MemoryRow,
    MessageTraits,
    Posting,
    ScopeReader,
    ScopeStatistics,
)
from idolchat_storage_postgres.database import Connection
from idolchat_storage_postgres.memory.values import MESSAGE, message_of, text_of, to_bytes

__all__ = ["PostgresScopeReader"]

_POSTINGS = f"""
select term, place << {WEIGHT_BITS} | weight from unnest($2::bytea[]) as asked (term), lateral (
  select place, weight from idolchat.memory_postings where scope = $1 and term = asked.term order by place desc limit $3
) as found
"""  # noqa: S608 - our names
_POSTINGS_OF_MANY = f"""
select term, place << {WEIGHT_BITS} | weight from idolchat.memory_postings
where scope = $1 and term = any($2::bytea[]) limit $3
"""  # noqa: S608 - our names
_SESSION_LENGTHS = "select number, length from idolchat.memory_sessions where scope = $1 and number = any($2::bigint[])"
_BETWEEN = f"""
select m.place from idolchat.memory_sessions s join idolchat.memory_messages m on m.scope = s.scope
  and m.place >= s.number * {PLACES_PER_SESSION} and m.place < (s.number + 1) * {PLACES_PER_SESSION}
where s.scope = $1 and s.last_at >= $2 and s.first_at < $3 and m.said_at >= $2 and m.said_at < $3
order by s.last_at desc, m.place desc limit $4
"""  # noqa: S608 - our names
_TRAITS = f"""
select place, (extract(epoch from said_at) * 1000000)::bigint << {TRAIT_BITS} | traits from idolchat.memory_messages
where scope = $1 and place = any($2::bigint[])
"""  # noqa: S608 - our names
_ROWS = f"""
select m.place, c.id, c.revision, {MESSAGE} from idolchat.memory_messages m
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

    def postings(self, terms: Sequence[str], *, limit: int) -> Mapping[str, Sequence[Posting]]:
        return self._by_term(_POSTINGS, terms, limit)

    def postings_of_many(self, terms: Sequence[str], *, limit: int) -> Mapping[str, Sequence[Posting]]:
        return self._by_term(_POSTINGS_OF_MANY, terms, limit)

    def session_lengths(self, sessions: Collection[int]) -> Mapping[int, int]:
        return {row[0]: row[1] for row in self._fetch(_SESSION_LENGTHS, list(sessions))}

    def places_between(self, start: datetime, end: datetime, *, limit: int) -> Sequence[int]:
        return [row[0] for row in self._fetch(_BETWEEN, start, end, limit)]

    def traits(self, places: Iterable[int]) -> Mapping[int, MessageTraits]:
        return {row[0]: row[1] for row in self._fetch(_TRAITS, list(places))}

    def rows(self, places: Iterable[int]) -> Mapping[int, MemoryRow]:
        found = {}
        for row in self._fetch(_ROWS, list(places)):
            place, conversation_id, revision, *message = row
            found[place] = MemoryRow(place, place // PLACES_PER_SESSION, conversation_id, revision, message_of(message))
        return found

    def vectors(self, places: Iterable[int], encoding: str) -> Mapping[int, bytes]:
        return {row[0]: row[1] for row in self._fetch(_VECTORS, list(places), encoding)}

    def _by_term(self, query: str, terms: Sequence[str], limit: int) -> Mapping[str, Sequence[Posting]]:
        found: defaultdict[str, list[Posting]] = defaultdict(list)
        for term, posting in self._fetch(query, [to_bytes(term) for term in terms], limit):
            found[text_of(term)].append(posting)
        return found

    def _fetch(self, query: str, *given: Any) -> list[asyncpg.Record]:
        if self._number is None:
            return []
        asked = self._connection.fetch(query, self._number, *given)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()
