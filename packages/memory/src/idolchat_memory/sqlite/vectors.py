"""The token vectors of messages, and which messages wait for theirs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from idolchat_core import PLACES_PER_SESSION, Unencoded
from idolchat_memory.sqlite.database import id_of, scope_key, scope_of, stored_id

__all__ = ["put", "unencoded"]

_UNENCODED = (
    "SELECT scopes.key, this.place, this.message_id, this.speaker, this.text, before.text FROM sessions"  # noqa: S608
    " CROSS JOIN messages AS this ON this.scope = sessions.scope"
    f" AND this.place >= sessions.number * {PLACES_PER_SESSION} + encoded_count"
    f" AND this.place < (sessions.number + 1) * {PLACES_PER_SESSION}"
    " CROSS JOIN scopes ON scopes.number = this.scope"
    " LEFT JOIN messages AS before ON before.scope = this.scope AND before.place = this.place - 1"
    f" AND this.place % {PLACES_PER_SESSION} > 0"
    " WHERE encoded_count < sessions.message_count ORDER BY sessions.number, this.place LIMIT ?"
)
_PUT = (
    "INSERT INTO vectors SELECT scopes.number, messages.place, ? FROM scopes"
    " CROSS JOIN messages ON messages.scope = scopes.number AND messages.place = ? AND message_id = ?"
    " WHERE scopes.key = ? AND EXISTS (SELECT 1 FROM sessions WHERE number = ? AND encoded_count = ?)"
)


def unencoded(database: sqlite3.Connection, encoding: str, limit: int) -> Sequence[Unencoded]:
    """See ``MemoryIndex.unencoded``."""
    _use(database, encoding)
    return [
        Unencoded(scope_of(key), place, id_of(message_id), speaker, text, before or "")
        for key, place, message_id, speaker, text, before in database.execute(_UNENCODED, (limit,))
    ]


def put(database: sqlite3.Connection, encoding: str, vectors: Sequence[tuple[Unencoded, bytes]]) -> None:
    """See ``MemoryIndex.put_vectors``; those of a session are kept in order."""
    _use(database, encoding)
    for one, tokens in vectors:
        session, count = divmod(one.place, PLACES_PER_SESSION)
        values = (tokens, one.place, stored_id(one.message_id), scope_key(one.scope), session, count)
        if database.execute(_PUT, values).rowcount:
            database.execute("UPDATE sessions SET encoded_count = ? WHERE number = ?", (count + 1, session))


def _use(database: sqlite3.Connection, encoding: str) -> None:
    """Drop the vectors of any other encoding."""
    if database.execute("SELECT 1 FROM encodings WHERE name = ?", (encoding,)).fetchone():
        return
    database.execute("DELETE FROM encodings")
    database.execute("INSERT INTO encodings VALUES (?)", (encoding,))
    database.execute("DELETE FROM vectors")
    database.execute("UPDATE sessions SET encoded_count = 0")
