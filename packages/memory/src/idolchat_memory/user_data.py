"""What the index holds about a user, to be exported and erased with the rest of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from pydantic_core import to_json

from idolchat_core import MemoryIndex, MemoryRow, MemoryScope, ScopeReader, Storage, UserData, UserFile, read_settings
from idolchat_memory.service import open_index
from idolchat_memory.settings import MemorySettings

__all__ = ["MemoryUserData", "open_user_data"]

_EVER = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
_MAX_SCOPES, _MAX_MESSAGES = 10_000, 1_000_000


class MemoryUserData(UserData):
    """The messages that are indexed; what a user chose is a record, which core finds by itself."""

    def __init__(self, index: MemoryIndex) -> None:
        self._index = index

    async def export(self, user_id: str) -> AsyncGenerator[UserFile]:
        for number, scope in enumerate(await self._index.scopes_of(user_id, limit=_MAX_SCOPES), 1):
            about = scope.model_dump()
            rows = await self._index.read(scope, _all_rows)
            lines = [
                to_json({**about, "conversation_id": row.conversation_id, **row.message._asdict()}) for row in rows
            ]
            yield UserFile(f"index/{number}.jsonl", b"\n".join(lines) + b"\n")

    async def erase(self, user_id: str) -> int:
        return await self._index.delete_user(user_id)


def _all_rows(reader: ScopeReader) -> Sequence[MemoryRow]:
    rows = reader.rows(reader.places_between(*_EVER, limit=_MAX_MESSAGES))
    return [rows[place] for place in sorted(rows)]


def _shown(scope: MemoryScope, row: MemoryRow) -> dict[str, object]:
    return {**scope.model_dump(), "conversation_id": row.conversation_id, **row.message._asdict()}


@asynccontextmanager
async def open_user_data(storage: Storage) -> AsyncGenerator[UserData]:
    """Open the index for one export or erasure."""
    async with open_index(read_settings(MemorySettings), storage) as index:
        yield MemoryUserData(index)
