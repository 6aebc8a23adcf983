"""Whole conversations in the file: looked up, written, and forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from idolchat_core import KnownConversation, MemoryMessage, MemoryScope, TextAnalysis
from idolchat_memory.sqlite.database import find_scope, scope_key, scope_of
from idolchat_memory.sqlite.writer import ConversationWriter

__all__ = ["HELD", "clear", "delete", "delete_user", "extend", "known", "list_all", "replace", "scopes_of"]

_FIND = (
    "SELECT conversations.number, scopes.number, scopes.key, revision FROM conversations"
    " JOIN scopes ON scopes.number = conversations.scope WHERE id = ?"
)
HELD = (
    "SELECT DISTINCT scopes.key, conversations.id FROM scopes JOIN sessions ON sessions.scope = scopes.number"
    " JOIN conversations ON conversations.number = sessions.conversation"
)
"""Every scope that holds something, with each conversation that does."""
_SCOPES_OF = (
    "SELECT key FROM scopes WHERE user_id IS ? AND message_count > 0 ORDER BY"
    " (SELECT max(last_at) FROM sessions WHERE sessions.scope = scopes.number) DESC LIMIT ?"
)
_TABLES = ("conversations", "sessions", "messages", "postings", "vectors")
_EMPTY_SCOPES = "DELETE FROM scopes WHERE NOT EXISTS (SELECT 1 FROM conversations WHERE scope = scopes.number)"


class _Found(NamedTuple):
    number: int
    scope: int
    scope_key: str
    revision: str


def _find(database: sqlite3.Connection, conversation_id: UUID) -> _Found | None:
    row = database.execute(_FIND, (conversation_id.bytes,)).fetchone()
    return _Found(*row) if row else None


def known(database: sqlite3.Connection, conversation_id: UUID) -> KnownConversation | None:
    """See ``MemoryIndex.known``."""
    found = _find(database, conversation_id)
    if found is None:
        return None
    last_id = ConversationWriter(database, found.scope, found.number).last_id()
    return KnownConversation(scope_of(found.scope_key), found.revision, last_id)


def list_all(database: sqlite3.Connection) -> Mapping[UUID, str]:
    """See ``MemoryIndex.conversations``."""
    return {
        UUID(bytes=stored): revision for stored, revision in database.execute("SELECT id, revision FROM conversations")
    }


def scopes_of(database: sqlite3.Connection, user_id: str | None, limit: int) -> Sequence[str]:
    """Return the keys of scopes; see ``MemoryIndex.scopes_of``."""
    return [key for (key,) in database.execute(_SCOPES_OF, (user_id, limit))]


def extend(
    database: sqlite3.Connection,
    analysis: TextAnalysis,
    conversation_id: UUID,
    messages: Sequence[MemoryMessage],
    after: str,
    revision: str,
) -> int | None:
    """Return how many messages were removed, or None where nothing could be done; see ``MemoryIndex.extend``."""
    found = _find(database, conversation_id)
    if found is None:
        return None
    writer = ConversationWriter(database, found.scope, found.number, analysis)
    removed = writer.go_on(after, messages)
    if removed is not None:
        _set_revision(database, found.number, revision)
    return removed


def replace(
    database: sqlite3.Connection,
    analysis: TextAnalysis,
    scope: MemoryScope,
    conversation_id: UUID,
    messages: Sequence[MemoryMessage],
    revision: str,
) -> int:
    """Return how many messages were removed; see ``MemoryIndex.replace``."""
    found, moved = _find(database, conversation_id), 0
    if found is not None and found.scope_key != scope_key(scope):
        moved, found = delete(database, analysis, conversation_id), None
    number, scope_number = (found.number, found.scope) if found else _create(database, scope, conversation_id)
    _set_revision(database, number, revision)
    return moved + ConversationWriter(database, scope_number, number, analysis).lay_out(messages)


def delete(database: sqlite3.Connection, analysis: TextAnalysis, conversation_id: UUID) -> int:
    """Return how many messages were removed; see ``MemoryIndex.delete_conversation``."""
    found = _find(database, conversation_id)
    if found is None:
        return 0
    removed = ConversationWriter(database, found.scope, found.number, analysis).lay_out(())
    database.execute("DELETE FROM conversations WHERE number = ?", (found.number,))
    database.execute(_EMPTY_SCOPES + " AND number = ?", (found.scope,))
    return removed


def delete_user(database: sqlite3.Connection, user_id: str) -> int:
    """See ``MemoryIndex.delete_user``."""
    scopes = database.execute("SELECT number FROM scopes WHERE user_id = ?", (str(user_id),)).fetchall()
    counts = [database.execute("SELECT count(*) FROM messages WHERE scope = ?", row).fetchone()[0] for row in scopes]
    for table in _TABLES:
        database.executemany(f"DELETE FROM {table} WHERE scope = ?", scopes)  # noqa: S608 - our names
    database.executemany("DELETE FROM scopes WHERE number = ?", scopes)
    return sum(counts)


def clear(database: sqlite3.Connection) -> None:
    """See ``MemoryIndex.clear``."""
    for table in (*_TABLES, "scopes"):
        database.execute(f"DELETE FROM {table}")  # noqa: S608 - our names


def _create(database: sqlite3.Connection, scope: MemoryScope, conversation_id: UUID) -> tuple[int, int]:
    database.execute(
        "INSERT INTO scopes (user_id, key) VALUES (?, ?) ON CONFLICT DO NOTHING", (scope.user_id, scope_key(scope))
    )
    found = find_scope(database, scope)
    assert found is not None  # noqa: S101 - it was just made
    [[number]] = database.execute(
        "INSERT INTO conversations (scope, id, revision) VALUES (?, ?, '') RETURNING number",
        (found.number, conversation_id.bytes),
    ).fetchall()
    return number, found.number


def _set_revision(database: sqlite3.Connection, number: int, revision: str) -> None:
    database.execute("UPDATE conversations SET revision = ? WHERE number = ?", (revision, number))
