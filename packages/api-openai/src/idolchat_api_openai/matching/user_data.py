"""What the index holds about a user: digests of what was replied to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from idolchat_api_openai.matching.index import forget_user, index_path
from idolchat_core import CoreSettings, Storage, UserData, UserFile, read_settings

__all__ = ["open_user_data"]


class _IndexedReplies(UserData):
    def __init__(self, path: Path) -> None:
        self._path = path

    async def export(self, user_id: str) -> AsyncGenerator[UserFile]:
        """Yield nothing: all of it is derived from the conversations."""
        nothing: tuple[UserFile, ...] = ()
        for file in nothing:
            yield file

    async def erase(self, user_id: str) -> int:
        return await asyncio.to_thread(forget_user, self._path, user_id)


@asynccontextmanager
async def open_user_data(storage: Storage) -> AsyncGenerator[UserData]:
    """Open what the index of the data folder holds about users."""
    yield _IndexedReplies(index_path(read_settings(CoreSettings).data_dir))
