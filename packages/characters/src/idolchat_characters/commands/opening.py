"""Open the characters for a command."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from idolchat_characters.library import CharacterLibrary, CharacterRecord, library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_cli.opening import open_conversations
from idolchat_core import InvalidRequest

__all__ = ["find", "open_library"]


@asynccontextmanager
async def open_library() -> AsyncGenerator[CharacterLibrary]:
    """Open the library in the storage that the settings choose."""
    async with open_conversations() as opened:
        yield library_of(opened.storage)


async def find(library: CharacterLibrary, name: str) -> CharacterRecord:
    """Read a character by id or slug. Raises ``InvalidRequest`` where there is none."""
    record = await library.find(name, OPERATOR)
    if record is None:
        raise InvalidRequest(f"no character {name}: `idol characters list` shows those that there are")
    return record
