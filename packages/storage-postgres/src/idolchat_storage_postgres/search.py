"""Search: PostgreSQL finds the messages that have all words, core says which of them match and what is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from idolchat_core import ConversationFilter, document
from idolchat_core.search import Query, SearchHit, SearchResults, Term, cursor, place, text_of
from idolchat_storage_postgres.conditions import Condition
from idolchat_storage_postgres.database import Database
from idolchat_storage_postgres.rows import ANY_WORD, MAX_WORD, id_of, plain_uuid, stored_id

__all__ = ["search_messages"]

_COLUMNS = "conversation_id, position, at, user_id, character_id, line"
_NEWEST_FIRST = "order by at desc, conversation_id desc, position desc"
_OF_CHARACTER = (
    "(character_id = {0} or conversation_id in (select id from idolchat.conversations where group_ids @> array[{0}]))"
)
_MOST_AT_ONCE = 1000
_RECENT = 2000
"""So many messages are looked through one by one: a user mostly has fewer, and a frequent word is among them."""

type _Place = tuple[datetime, UUID, int]


async def search_messages(
    database: Database, text: str, matching: ConversationFilter, *, limit: int, before: str | None
) -> SearchResults:
    """See ``Storage.search``.

    PostgreSQL is not asked to guess which is quicker, to go along the time or to look words up: for a rare word along
    the time takes seconds, and statistics of so many words take longer to plan with than to search.
    """
    query = Query(text)
    after = place(before) if before is not None else None
    where = _matching(matching, after)
    rows = await _recent(database, query, where, limit + 1)
    hits = await asyncio.to_thread(_matches, query, rows)
    if len(hits) <= limit and (len(rows) > limit or not await _has_few(database, where)):
        hits = await _all(database, query, matching, after, limit + 1)
    page = hits[:limit]
    return SearchResults(data=page, next=cursor(page[-1]) if page and len(hits) > limit else None)


async def _all(
    database: Database, query: Query, matching: ConversationFilter, after: _Place | None, wanted: int
) -> list[SearchHit]:
    """Find the newest hits by their words."""
    hits: list[SearchHit] = []
    at_once = wanted
    while len(hits) < wanted:
        rows = await _with_words(database, query, _matching(matching, after), at_once)
        hits += await asyncio.to_thread(_matches, query, rows)
        if len(rows) < at_once:
            break
        after = rows[-1]["at"], rows[-1]["conversation_id"], rows[-1]["position"]
        at_once = min(4 * at_once, _MOST_AT_ONCE)  # few of what has the words have them as they are asked for
    return hits


async def _has_few(database: Database, where: Condition) -> bool:
    """Whether no more than ``_RECENT`` messages are to be searched."""
    sql = f"select count(*) from (select from idolchat.messages{where.clause} limit {_RECENT + 1}) x"  # noqa: S608
    count: int = await database.fetchval(sql, *where.arguments)
    return count <= _RECENT


async def _recent(database: Database, query: Query, where: Condition, limit: int) -> Sequence[asyncpg.Record]:
    """Find the newest messages that have all words among the ``_RECENT`` newest."""
    inner = f"select {_COLUMNS}, words from idolchat.messages{where.clause} {_NEWEST_FIRST} limit {_RECENT}"  # noqa: S608
    asked = f"${len(where.arguments) + 1}::tsquery"
    sql = f"select {_COLUMNS} from ({inner}) x where words @@ {asked} {_NEWEST_FIRST} limit {limit}"  # noqa: S608
    return await database.fetch(sql, *where.arguments, _asked(query.terms))


async def _with_words(database: Database, query: Query, where: Condition, limit: int) -> Sequence[asyncpg.Record]:
    """Find the newest messages that have all words, by the index of words."""
    where.add("words @@ {}::tsquery", _asked(query.terms))
    sql = f"""
with found as materialized (select conversation_id, position, at from idolchat.messages{where.clause}),
newest as (select * from found {_NEWEST_FIRST} limit {limit})
select conversation_id, position, m.at, user_id, character_id, line
from newest join idolchat.messages m using (conversation_id, position) order by m.at desc, 1 desc, 2 desc
"""  # noqa: S608 - our names
    return await database.fetch(sql, *where.arguments)


def _matching(matching: ConversationFilter, after: _Place | None) -> Condition:
    where = Condition()
    if matching.user_id is not None:
        where.add("user_id = {}", stored_id(matching.user_id))
    if matching.character_id is not None:
        where.add(_OF_CHARACTER, stored_id(matching.character_id))
    if matching.since is not None:
        where.add("at >= {}", matching.since)
    if matching.until is not None:
        where.add("at < {}", matching.until)
    if after is not None:
        where.add("(at, conversation_id, position) < ({}, {}, {})", *after)
    return where


def _asked(terms: Sequence[Term]) -> str:
    """Write a query as a ``tsquery``; words hold nothing that would have a meaning in one."""
    words = []
    for term in terms:
        *first, last = term.tokens
        words += [_quoted(word) for word in first]
        words.append(_quoted(last) + (":*" if term.is_beginning else ""))
    return f"{' & '.join(dict.fromkeys(words))} | {_quoted(ANY_WORD)}"


def _quoted(word: str) -> str:
    return f"'{word[:MAX_WORD]}'"


def _matches(query: Query, rows: Sequence[asyncpg.Record]) -> list[SearchHit]:
    hits = []
    for row in rows:
        message = document.parse_line(row["line"].encode())
        shown = query.show(text_of(message))
        if shown is None:
            continue
        snippet, matches = shown
        hits.append(
            SearchHit(
                conversation_id=plain_uuid(row["conversation_id"]),
                user_id=_read(row["user_id"]),
                character_id=_read(row["character_id"]),
                message_id=message.id,
                position=row["position"],
                role=message.role,
                timestamp=message.timestamp,
                snippet=snippet,
                matches=matches,
            )
        )
    return hits


def _read(stored: str | None) -> str | None:
    return None if stored is None else id_of(stored)
