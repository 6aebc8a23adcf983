"""The token vectors of messages, and which messages wait for theirs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from idolchat_memory.contract import MemoryScope, Unencoded
from idolchat_memory.sqlite.database import PLACES_PER_SESSION, id_of, stored_id

__all__ = ["put", "unencoded"]

_UNENCODED = (
    "SELECT scopes.key, this.place, this.message_id, this.speaker, this.text, before.text FROM unencoded"  # noqa: S608 - our names
    " CROSS JOIN messages AS this ON this.scope = unencoded.scope AND this.place = unencoded.place"
    " CROSS JOIN scopes ON scopes.number = this.scope"
    " LEFT JOIN messages AS before ON before.scope = this.scope AND before.place = this.place - 1"
    f" AND this.place % {PLACES_PER_SESSION} > 0"
    " ORDER BY unencoded.place LIMIT ?"
)
_PUT = (
    "INSERT OR REPLACE INTO vectors SELECT scopes.number, messages.place, ? FROM scopes"
    " CROSS JOIN messages ON messages.scope = scopes.number AND messages.place = ? AND message_id = ?"
    " WHERE scopes.key = ?"
)


def unencoded(database: sqlite3.Connection, encoding: str, limit: int) -> Sequence[Unencoded]:
    """See ``MemoryIndex.unencoded``."""
    _use(database, encoding)
    return [
        Unencoded(_scope(key), place, id_of(message_id), speaker, text, before or "")
        for key, place, message_id, speaker, text, before in database.execute(_UNENCODED, (limit,))
    ]


def put(database: sqlite3.Connection, encoding: str, vectors: Sequence[tuple[Unencoded, bytes]]) -> None:
    """See ``MemoryIndex.put_vectors``."""
    _use(database, encoding)
    for one, tokens in vectors:
        key = json.dumps([one.scope.user_id, one.scope.character_id])
        changed = database.execute(_PUT, (tokens, one.place, stored_id(one.message_id), key)).rowcount
        if changed:
            database.execute("DELETE FROM unencoded WHERE place = ?", (one.place,))


def _use(database: sqlite3.Connection, encoding: str) -> None:
    """Drop the vectors of any other encoding."""
    if database.execute("SELECT 1 FROM encodings WHERE name = ?", (encoding,)).fetchone():
        return
    database.execute("DELETE FROM encodings")
    database.execute("INSERT INTO encodings VALUES (?)", (encoding,))
    database.execute("INSERT OR IGNORE INTO unencoded SELECT place, scope FROM vectors")
    database.execute("DELETE FROM vectors")


def _scope(key: str) -> MemoryScope:
    user_id, character_id = json.loads(key)
    return MemoryScope(user_id=user_id, character_id=character_id)
