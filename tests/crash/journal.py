"""A plugin that keeps every change that it is told, in one transaction with the revision that it notes.

It does not say which conversations it knows, so that it learns of deletions by being told alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from uuid import UUID

from idolchat_core import Change, ChangeObserver, ServiceRegistry, Services, hookimpl

__all__ = ["FILE", "Journal", "idolchat_register_change_observers"]

FILE = "journal.sqlite"
TABLES = """
CREATE TABLE IF NOT EXISTS told (number INTEGER PRIMARY KEY, id TEXT, revision TEXT, kinds TEXT);
CREATE TABLE IF NOT EXISTS noted (id TEXT PRIMARY KEY, revision TEXT);
"""


class Journal(ChangeObserver):
    """Two tables: what was told, and the revisions that are noted."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    async def noted(self, conversation_id: UUID) -> str | None:
        """Look the revision up."""
        row = self._file.execute("SELECT revision FROM noted WHERE id = ?", [str(conversation_id)]).fetchone()
        return row[0] if row else None

    async def note(self, change: Change) -> None:
        """Add a line, and keep the revision."""
        told = (str(change.conversation_id), change.revision, " ".join(change.kinds))
        with self._file:
            self._file.execute("INSERT INTO told (id, revision, kinds) VALUES (?, ?, ?)", told)
            self._file.execute("DELETE FROM noted WHERE id = ?", told[:1])
            if change.revision is not None:
                self._file.execute("INSERT INTO noted VALUES (?, ?)", told[:2])


@asynccontextmanager
async def _open(services: Services) -> AsyncGenerator[ChangeObserver]:
    with closing(sqlite3.connect(FILE)) as file:
        file.executescript(TABLES)
        yield Journal(file)


@hookimpl
def idolchat_register_change_observers(registry: ServiceRegistry[ChangeObserver]) -> None:
    """Offer the journal."""
    registry.add("journal", _open)
