"""Upkeep: whether what is derived from the messages agrees with them, and making it anew."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from idolchat_core import ConversationDamaged, Issue, VerificationResult, document, issues_of
from idolchat_storage_postgres.conversations import columns
from idolchat_storage_postgres.database import Connection, Database
from idolchat_storage_postgres.rows import conversation_of, stored_id, words_of

__all__ = ["derive_anew", "judge"]

_CONVERSATIONS = "select * from idolchat.conversations where id = any($1)"
_MESSAGES = """
select conversation_id, position, id, turn_id, at, user_id, character_id, line, words::text as words
from idolchat.messages where conversation_id = any($1) order by conversation_id, position
"""
_DERIVE = """
update idolchat.messages m
set id = x.id, turn_id = x.turn_id, at = x.at, words = x.words::tsvector, user_id = c.user_id,
  character_id = c.character_id
from unnest($1::uuid[], $2::int[], $3::text[], $4::uuid[], $5::timestamptz[], $6::text[], $7::text[])
  x(conversation_id, position, id, turn_id, at, words, line)
join idolchat.conversations c on c.id = x.conversation_id
where m.conversation_id = x.conversation_id and m.position = x.position and m.line::text = x.line
  and (m.id, m.turn_id, m.at, m.words, m.user_id, m.character_id)
    is distinct from (x.id, x.turn_id, x.at, x.words::tsvector, c.user_id, c.character_id)
"""

type _Rows = Mapping[UUID, tuple[asyncpg.Record, Sequence[asyncpg.Record]]]


async def judge(database: Database, ids: Collection[UUID]) -> Sequence[VerificationResult]:
    """Judge conversations; those that are gone are left out."""
    return await asyncio.to_thread(_judged, await _read(database, ids))


async def derive_anew(database: Database, ids: Collection[UUID]) -> None:
    """Make anew what the rows of messages have beside their lines. What cannot be read is left as it is."""
    rows = await asyncio.to_thread(_derived, await _read(database, ids))
    if rows:
        await database.run(lambda connection: connection.execute(_DERIVE, *columns(rows, 7)))


async def _read(database: Database, ids: Collection[UUID]) -> _Rows:
    async def read(connection: Connection) -> _Rows:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await connection.fetch(_CONVERSATIONS, list(ids))
            said = await connection.fetch(_MESSAGES, list(ids))
        messages: dict[UUID, list[asyncpg.Record]] = {row["id"]: [] for row in found}
        for row in said:
            messages.setdefault(row["conversation_id"], []).append(row)
        return {row["id"]: (row, messages[row["id"]]) for row in found}

    return await database.run(read)


def _judged(rows: _Rows) -> list[VerificationResult]:
    return [_verdict(row, messages) for row, messages in rows.values()]


def _verdict(row: asyncpg.Record, messages: Sequence[asyncpg.Record]) -> VerificationResult:
    issues: list[Issue] = []
    count = 0
    try:
        lines = ",\n".join(message["line"] for message in messages)
        conversation = conversation_of(row, lines, expected=row["count"])
        count = len(conversation.messages)
        issues += issues_of(conversation)
    except ConversationDamaged as error:
        issues.append(Issue(code="damaged", message=str(error)))
    else:
        if conversation.status is None:
            issues += _derivation_issues(row, messages)
    return VerificationResult(conversation_id=row["id"], message_count=count, issues=tuple(issues))


def _derivation_issues(row: asyncpg.Record, messages: Sequence[asyncpg.Record]) -> Iterator[Issue]:
    for message in messages:
        wanted = _derivation(message["line"])
        found = (message["id"], message["turn_id"], message["at"], _word_set(message["words"]))
        owner = (message["user_id"], message["character_id"])
        if found != (*wanted[:3], _word_set(wanted[3])) or owner != (row["user_id"], row["character_id"]):
            text = "the message is found by something else than it says; run `idol storage reindex`"
            yield Issue(code="index", message=text, position=message["position"])


def _derived(rows: _Rows) -> list[tuple[Any, ...]]:
    found = []
    for _, messages in rows.values():
        for row in messages:
            try:
                found.append((row["conversation_id"], row["position"], *_derivation(row["line"]), row["line"]))
            except ValueError:
                continue
    return found


def _derivation(line: str) -> tuple[Any, ...]:
    message = document.parse_line(line.encode())
    return stored_id(message.id), message.turn_id, message.timestamp, words_of(message)


def _word_set(words: str | None) -> set[str]:
    """Read a ``tsvector`` in text, as it is written or as it is read again."""
    return set(words.replace("'", "").split(" ")) if words else set()
