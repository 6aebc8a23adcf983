"""Search: PostgreSQL finds the messages that have all words, core says which of them match and what is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from idolchat_core import ConversationFilter, document
from idolchat_core.search import Query, SearchHit, SearchResults, Term, cursor, place, text_of
from idolchat_storage_postgres.database import Database
from idolchat_storage_postgres.rows import ANY_WORD, MAX_WORD, id_of, stored_id

__all__ = ["search_messages"]

_FOUND = "select conversation_id, position, at, user_id, character_id, line from idolchat.messages"
_NEWEST_FIRST = "order by at desc, conversation_id desc, position desc"
_OF_CHARACTER = (
    "(character_id = {0} or conversation_id in (select id from idolchat.conversations where group_ids @> array[{0}]))"
)
_MOST_AT_ONCE = 1000

type _Place = tuple[datetime, UUID, int]


async def search_messages(
    database: Database, text: str, matching: ConversationFilter, *, limit: int, before: str | None
) -> SearchResults:
    """See ``Storage.search``."""
    query = Query(text)
    after = place(before) if before is not None else None
    hits: list[SearchHit] = []
    wanted = limit + 1
    while len(hits) <= limit:
        rows = await _candidates(database, query, matching, after, wanted)
        hits += await asyncio.to_thread(_matches, query, rows)
        if len(rows) < wanted:
            break
        after = rows[-1]["at"], rows[-1]["conversation_id"], rows[-1]["position"]
        wanted = min(4 * wanted, _MOST_AT_ONCE)  # few of what has the words have them as they are asked for
    page = hits[:limit]
    return SearchResults(data=page, next=cursor(page[-1]) if page and len(hits) > limit else None)


async def _candidates(
    database: Database, query: Query, matching: ConversationFilter, after: _Place | None, limit: int
) -> Sequence[asyncpg.Record]:
    arguments: list[Any] = [_asked(query.terms)]
    conditions = ["words @@ $1::tsquery"]

    def add(condition: str, *values: Any) -> None:
        first = len(arguments) + 1
        conditions.append(condition.format(*(f"${first + number}" for number in range(len(values)))))
        arguments.extend(values)

    if matching.user_id is not None:
        add("user_id = {}", stored_id(matching.user_id))
    if matching.character_id is not None:
        add(_OF_CHARACTER, stored_id(matching.character_id))
    if matching.since is not None:
        add("at >= {}", matching.since)
    if matching.until is not None:
        add("at < {}", matching.until)
    if after is not None:
        add("(at, conversation_id, position) < ({}, {}, {})", *after)
    sql = f"{_FOUND} where {' and '.join(conditions)} {_NEWEST_FIRST} limit {limit}"
    return await database.fetch(sql, *arguments)


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
                conversation_id=row["conversation_id"],
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
