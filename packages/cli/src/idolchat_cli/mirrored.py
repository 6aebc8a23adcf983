"""Open the storage together with its mirrors, for commands that are about both."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from idolchat_cli.opening import open_conversations
from idolchat_core.errors import ConfigurationError
from idolchat_core.mirror import MirroredStorage

__all__ = ["open_with_mirrors"]


@asynccontextmanager
async def open_with_mirrors() -> AsyncGenerator[MirroredStorage]:
    """Open what the settings choose. Raises ``ConfigurationError`` where there is no mirror among it."""
    async with open_conversations() as opened:
        if not isinstance(opened.storage, MirroredStorage):
            raise ConfigurationError(
                f"there is no mirror: IDOLCHAT_STORAGE names {opened.storage_name} alone; name the mirrors after it,"
                f" such as {opened.storage_name},supabase"
            )
        yield opened.storage
