"""An index from what was replied to where: a file beside the conversations, derived from them.

A storage that several servers share is searched instead.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from uuid import UUID

from idolchat_api_openai.requests.text import ENOUGH_TO_KNOW, index_key, normal_form
from idolchat_core import (
    Change,
    ChangeKind,
    ChangeObserver,
    ConversationNotFound,
    Message,
    Services,
    Storage,
    StorageUnavailable,
)

__all__ = ["ReplyIndex", "forget_user", "index_path", "open_index"]

PAGE_SIZE = 500
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;  -- what a power cut takes is told again
PRAGMA cache_size = -256;  -- KiB: a row is looked up once for each change, off the path of any turn
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, revision TEXT NOT NULL, messages INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replies (
    user TEXT NOT NULL, character TEXT NOT NULL, key BLOB NOT NULL, conversation TEXT NOT NULL,
    PRIMARY KEY (user, character, key, conversation)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS replies_of ON replies (conversation);
"""
_ADDS = frozenset({ChangeKind.STORED, ChangeKind.EDITED, ChangeKind.REGENERATED, ChangeKind.ROLLED_BACK})
"""What only adds messages at the end of a document."""


def index_path(data_dir: Path) -> Path:
    """Return where the index of a data folder is."""
    return data_dir.absolute() / "v1" / "replies.sqlite"


class ReplyIndex:
    """Finds the conversations of a user and a character in which one of some texts was replied."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def find(self, user_id: object, character_id: object, texts: Sequence[str], *, limit: int) -> list[UUID]:
        """Return conversations, the one with the newest of these texts first; none where there is no index yet."""
        if not texts or not self._path.exists():
            return []
        return await asyncio.to_thread(self._find, str(user_id), str(character_id), texts, limit)

    def _find(self, user_id: str, character_id: str, texts: Sequence[str], limit: int) -> list[UUID]:
        found: dict[UUID, None] = {}
        with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, timeout=5)) as file:
            for text in reversed(texts):
                rows = file.execute(
                    "SELECT conversation FROM replies WHERE user = ? AND character = ? AND key = ? LIMIT ?",
                    (user_id, character_id, index_key(text), limit),
                )
                found |= dict.fromkeys(UUID(row[0]) for row in rows)
                if len(found) >= limit:
                    break
        return list(found)[:limit]


class _Indexing(ChangeObserver):
    """Keeps the index up to date."""

    def __init__(self, storage: Storage, file: sqlite3.Connection) -> None:
        self._storage = storage
        self._file = file
        self._writing = asyncio.Lock()
        self._using = threading.Lock()

    def close(self) -> None:
        """Close the file when what is done with it is done: a thread goes on though its task was cancelled."""
        with self._using:
            self._file.close()

    async def _in_thread[T](self, work: Callable[[], T]) -> T:
        def used() -> T:
            with self._using:
                return work()

        return await asyncio.to_thread(used)

    async def noted(self, conversation_id: UUID) -> str | None:
        row = await self._one("SELECT revision FROM conversations WHERE id = ?", str(conversation_id))
        return str(row[0]) if row else None

    async def known(self) -> Sequence[UUID]:
        async with self._writing:
            rows = await self._in_thread(lambda: self._file.execute("SELECT id FROM conversations").fetchall())
        return [UUID(row[0]) for row in rows]

    async def note(self, change: Change) -> None:
        if change.revision is None:
            await self._write(_forgetting(change.conversation_id))
            return
        row = await self._one("SELECT messages FROM conversations WHERE id = ?", str(change.conversation_id))
        is_more = row is not None and _ADDS.issuperset(change.kinds)
        try:
            steps = await self._read(change, int(row[0]) if row and is_more else 0)
        except ConversationNotFound:  # deleted meanwhile, which another change tells
            return
        await self._write(steps if is_more else [*_forgetting(change.conversation_id), *steps])

    async def _read(self, change: Change, start: int) -> list[tuple[str, tuple[object, ...]]]:
        steps: list[tuple[str, tuple[object, ...]]] = []
        before: int | None = None
        total: int | None = None
        user = ""
        while before is None or before > start:
            page = await self._storage.read_page(change.conversation_id, limit=PAGE_SIZE, before=before)
            total = page.total if total is None else total
            conversation, before = page.conversation, page.start
            user = str(conversation.user_id)
            owner = (user, str(conversation.character_id))
            steps += [
                ("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?)", (*owner, key, str(change.conversation_id)))
                for key in _keys(conversation.messages[max(0, start - before) :])
            ]
        noted = (str(change.conversation_id), user, change.revision, total)
        return [*steps, ("INSERT OR REPLACE INTO conversations VALUES (?, ?, ?, ?)", noted)]

    async def _one(self, query: str, *values: object) -> sqlite3.Row | None:
        async with self._writing:
            return await self._in_thread(lambda: self._file.execute(query, values).fetchone())

    async def _write(self, steps: Iterable[tuple[str, tuple[object, ...]]]) -> None:
        def write() -> None:
            with self._file:
                for statement, values in steps:
                    self._file.execute(statement, values)

        async with self._writing:
            await self._in_thread(write)


class _Unneeded(ChangeObserver):
    """Follows nothing."""

    is_shared = True

    async def noted(self, conversation_id: UUID) -> str | None:
        return None

    async def note(self, change: Change) -> None:
        pass


def _keys(messages: Iterable[Message]) -> Iterable[bytes]:
    for message in messages:
        if message.role == "assistant" and message.origin is None:
            text = normal_form(message.role, message.content, message.tool_calls)
            if len(text) >= ENOUGH_TO_KNOW:
                yield index_key(text)


def _forgetting(conversation_id: UUID) -> list[tuple[str, tuple[object, ...]]]:
    values = (str(conversation_id),)
    return [
        ("DELETE FROM replies WHERE conversation = ?", values),
        ("DELETE FROM conversations WHERE id = ?", values),
    ]


def forget_user(path: Path, user_id: str) -> int:
    """Remove what the index has of a user, and return how many conversations that was."""
    if not path.exists():
        return 0
    # A server that is only just making it, or was killed then, has left it without tables.
    with closing(_opened(path)) as file, file:
        file.execute("PRAGMA secure_delete = ON")
        file.execute("DELETE FROM replies WHERE user = ?", (user_id,))
        return file.execute("DELETE FROM conversations WHERE user = ?", (user_id,)).rowcount


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        file.executescript(_SCHEMA)
    except sqlite3.Error:
        file.close()
        raise
    return file


@asynccontextmanager
async def open_index(services: Services) -> AsyncGenerator[ChangeObserver]:
    """Open the index for writing, which one process does. Raises ``StorageUnavailable``."""
    if services.storage.is_shared:
        yield _Unneeded()
        return
    path = index_path(services.settings.data_dir)
    try:
        file = await asyncio.to_thread(_opened, path)
    except (sqlite3.Error, OSError) as error:
        raise StorageUnavailable(f"the index of /v1 cannot be opened: {path}: {error}") from error
    indexing = _Indexing(services.storage, file)
    try:
        yield indexing
    finally:
        await asyncio.to_thread(indexing.close)
