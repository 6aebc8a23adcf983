"""Open the characters for a command."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from idolchat_characters.character import Character
from idolchat_characters.library import CharacterLibrary, CharacterRecord, library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_characters.window_fit import FitCheck, check_fits
from idolchat_cli.opening import open_conversations
from idolchat_core import CoreSettings, InvalidRequest

__all__ = ["find", "open_library", "open_to_write"]


@asynccontextmanager
async def open_library() -> AsyncGenerator[CharacterLibrary]:
    """Open the library in the storage that the settings choose."""
    async with open_conversations() as opened:
        yield library_of(opened.storage)


@asynccontextmanager
async def open_to_write() -> AsyncGenerator[tuple[CharacterLibrary, FitCheck | None]]:
    """Open the library, with a check of what a model reads, where the settings say how much that is.

    The provider is not asked: ``idol doctor`` does that.
    """
    async with open_conversations() as opened:
        is_known = "context_length" in opened.settings.model_fields_set
        yield library_of(opened.storage), _fits(opened.settings) if is_known else None


def _fits(settings: CoreSettings) -> FitCheck:
    async def check(character: Character) -> None:
        if character.model in (None, settings.model):
            check_fits(character, settings.context_length, settings.model)

    return check


async def find(library: CharacterLibrary, name: str) -> CharacterRecord:
    """Read a character by id or slug. Raises ``InvalidRequest`` where there is none."""
    record = await library.find(name, OPERATOR)
    if record is None:
        raise InvalidRequest(f"no character {name}: `idol characters list` shows those that there are")
    return record
