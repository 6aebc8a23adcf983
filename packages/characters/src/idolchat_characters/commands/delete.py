"""``idol characters delete``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import Field

from idolchat_characters.commands.opening import find, open_library
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
        records = {record.id: record for record in [await find(library, name) for name in names]}
        with progress("Deleting", total=len(records), unit="characters") as deleting:
            for record in records.values():
                await library.delete(record)
                deleting.advance()
