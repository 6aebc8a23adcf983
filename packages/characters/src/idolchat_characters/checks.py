"""What ``idol doctor`` says of characters."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from idolchat_characters.errors import CardTooLong, CharacterDamaged
from idolchat_characters.library import CharacterLibrary, library_of
from idolchat_characters.window_fit import FitCheck, fits_provider
from idolchat_cli.checks.result import CheckResult, fail, ok
from idolchat_cli.opening import open_conversations, open_provider

__all__ = ["check_characters", "examine"]

CHECK = "characters"
MAX_NAMED = 20


async def check_characters() -> list[CheckResult]:
    """Look whether the card of every character fits what its model reads."""
    async with open_conversations() as opened:
        library = library_of(opened.storage)
        if not await library.count():
            return [ok(CHECK, "none yet")]
        async with open_provider(opened) as provider:
            return await examine(library, fits_provider(provider, opened.settings))


async def examine(library: CharacterLibrary, fits: FitCheck) -> list[CheckResult]:
    """Report the cards that do not fit or cannot be read, the first 20 by name, or that all do."""
    found = [finding async for finding in _findings(library, fits)]
    if not found:
        return [ok(CHECK, f"{await library.count():,}, and each card fits the model that speaks as it")]
    more = len(found) - MAX_NAMED
    return found[:MAX_NAMED] + ([fail(CHECK, f"{more:,} more do not fit, or cannot be read")] if more > 0 else [])


async def _findings(library: CharacterLibrary, fits: FitCheck) -> AsyncGenerator[CheckResult]:
    async for record in library.everyone():
        if isinstance(record, CharacterDamaged):
            yield fail(CHECK, str(record))
            continue
        try:
            await fits(record.character)
        except CardTooLong as error:
            name = record.character.slug or record.id
            yield fail(CHECK, f"{name}: {error}", f"idol characters edit {name} --file {error.param}=shorter.txt")
