"""How much each user talks: follows changes, and keeps a count of messages in SQLite."""

import json
import os
import sqlite3
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, closing
from uuid import UUID

from idolchat_core import (
    Change,
    ChangeObserver,
    ConversationNotFound,
    ServiceRegistry,
    Storage,
    StorageRegistry,
    UserData,
    UserFile,
    hookimpl,
)

TABLE = "CREATE TABLE IF NOT EXISTS activity (id TEXT PRIMARY KEY, user TEXT, messages INTEGER, revision TEXT)"


class Activity(ChangeObserver, UserData):
    def __init__(self, file: sqlite3.Connection, storage: Storage) -> None:
        self.file, self.storage = file, storage

    async def noted(self, conversation_id: UUID) -> str | None:
        row = self.file.execute("SELECT revision FROM activity WHERE id = ?", [str(conversation_id)]).fetchone()
        return row[0] if row else None

    async def note(self, change: Change) -> None:
        row = await self._row(change)
        with self.file:  # one transaction: the revision goes with what is derived from it
            self.file.execute("DELETE FROM activity WHERE id = ?", [str(change.conversation_id)])
            if row:
                self.file.execute("INSERT INTO activity VALUES (?, ?, ?, ?)", row)

    async def _row(self, change: Change) -> tuple[str, str, int, str] | None:
        if change.revision is None:
            return None
        try:
            page = await self.storage.read_page(change.conversation_id, limit=1)
        except ConversationNotFound:  # deleted meanwhile, which another change tells
            return str(change.conversation_id), "", 0, change.revision
        return str(change.conversation_id), str(page.conversation.user_id), page.total, change.revision

    async def known(self) -> Collection[UUID]:
        return [UUID(row[0]) for row in self.file.execute("SELECT id FROM activity")]

    async def export(self, user_id: str) -> AsyncGenerator[UserFile]:
        rows = self.file.execute("SELECT id, messages FROM activity WHERE user = ?", [user_id]).fetchall()
        if rows:
            yield UserFile("messages.json", json.dumps(dict(rows)).encode())

    async def erase(self, user_id: str) -> int:
        with self.file:
            return self.file.execute("DELETE FROM activity WHERE user = ?", [user_id]).rowcount


@asynccontextmanager
async def open_activity(storage: Storage) -> AsyncGenerator[Activity]:
    with closing(sqlite3.connect(os.environ.get("ACTIVITY_FILE", "activity.sqlite"))) as file:
        file.execute(TABLE)
        yield Activity(file, storage)


@hookimpl
def idolchat_register_change_observers(registry: ServiceRegistry[ChangeObserver]) -> None:
    registry.add("activity", lambda services: open_activity(services.storage))


@hookimpl
def idolchat_register_user_data(registry: StorageRegistry[UserData]) -> None:
    registry.add("activity", open_activity)
