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
"""Of a user's messages, so many are looked through one by one: most have fewer, and the planner needs no thought."""

type _Place = tuple[datetime, UUID, int]


async def search_messages(
    database: Database, text: str, matching: ConversationFilter, *, limit: int, before: str | None
) -> SearchResults:
    """See ``Storage.search``."""
    query = Query(text)
    after = place(before) if before is not None else None
    hits: list[SearchHit] = []
    wanted = limit + 1
    is_scanned = matching.user_id is not None and await _has_few(database, matching, after)
    while len(hits) <= limit:
        rows = await _candidates(database, query, matching, after, wanted, is_scanned=is_scanned)
        hits += await asyncio.to_thread(_matches, query, rows)
        if len(rows) < wanted:
            break
        after = rows[-1]["at"], rows[-1]["conversation_id"], rows[-1]["position"]
        wanted = min(4 * wanted, _MOST_AT_ONCE)  # few of what has the words have them as they are asked for
    page = hits[:limit]
    return SearchResults(data=page, next=cursor(page[-1]) if page and len(hits) > limit else None)


async def _has_few(database: Database, matching: ConversationFilter, after: _Place | None) -> bool:
    """Whether no more than ``_RECENT`` messages need be looked through."""
    where = _matching(matching, after)
    sql = f"select count(*) from (select from idolchat.messages{where.clause} limit {_RECENT + 1}) x"  # noqa: S608
    count: int = await database.fetchval(sql, *where.arguments)
    return count <= _RECENT


async def _candidates(
    database: Database,
    query: Query,
    matching: ConversationFilter,
    after: _Place | None,
    limit: int,
    *,
    is_scanned: bool,
) -> Sequence[asyncpg.Record]:
    """Find the newest messages that have all words."""
    where = _matching(matching, after)
    if is_scanned:
        # What stands within the limit is found by its owner, and never by its words.
        inner = f"select {_COLUMNS}, words from idolchat.messages{where.clause} {_NEWEST_FIRST} limit {_RECENT}"  # noqa: S608
        sql = f"select {_COLUMNS} from ({inner}) x where words @@ {where.number(_asked(query.terms))}::tsquery"  # noqa: S608
    else:
        where.add("words @@ {}::tsquery", _asked(query.terms))
        sql = f"select {_COLUMNS} from idolchat.messages{where.clause}"  # noqa: S608 - our names
    return await database.fetch(f"{sql} {_NEWEST_FIRST} limit {limit}", *where.arguments)


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
