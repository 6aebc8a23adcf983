"""``idol characters delete``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_characters.commands.opening import find, open_library
from idolchat_characters.errors import CharacterDamaged
from idolchat_characters.library import CharacterLibrary, CharacterRecord
from idolchat_cli.confirmation import confirm
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson, Yes
from idolchat_cli.progress import progress
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result

__all__ = ["RESULT", "app"]


class DeletedCharacters(Result):
    """What was deleted."""

    deleted: int = Field(description="characters; the conversations with them stay")


RESULT = DeletedCharacters

app = new_app()


@app.command("delete", epilog=examples("idol characters delete mika", "idol characters delete mika ren --yes"))
def delete(
    names: Annotated[list[str], typer.Argument(metavar="CHARACTER", help="Ids or slugs.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete characters for good, with their cards and files; the conversations with them stay."""
    confirm(f"Delete {number_of(len(names), 'character')}?", yes=yes)
    asyncio.run(_deleted(names))
    if as_json:
        print_json(DeletedCharacters(deleted=len(names)))
    else:
        on_stderr().print(f"Deleted {number_of(len(names), 'character')}")


async def _deleted(names: Sequence[str]) -> None:
    async with open_library() as library:
        several = [await _found(library, name) for name in names]
        found = {one if isinstance(one, UUID) else one.id: one for one in several}
        with progress("Deleting", total=len(found), unit="characters") as deleting:
            for one in found.values():
                await (library.delete_damaged(one) if isinstance(one, UUID) else library.delete(one))
                deleting.advance()


async def _found(library: CharacterLibrary, name: str) -> CharacterRecord | UUID:
    """Return a character, or the id of one whose record cannot be read."""
    try:
        return await find(library, name)
    except CharacterDamaged as error:
        return error.character_id
