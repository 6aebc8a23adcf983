"""``idol personas import``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_characters.commands.files import file_content
from idolchat_characters.commands.personas.opening import User, open_personas
from idolchat_characters.personas.sillytavern import BackedUpPersona, read_backup
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result

__all__ = ["RESULT", "app"]

MAX_BYTES = 16 * 1024 * 1024


class ImportedPersonas(Result):
    """What was imported."""

    imported: int = Field(description="new personas; those that are there with the same name and text are left out")


RESULT = ImportedPersonas

app = new_app()


@app.command("import", epilog=examples("idol personas import personas_20261129.json"))
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A backup of personas, or SillyTavern's settings.json; - is standard input."
        ),
    ],
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Create the personas of a backup of SillyTavern, with the default that it names."""
    count = asyncio.run(_imported(user, read_backup(file_content(file, MAX_BYTES))))
    if as_json:
        print_json(ImportedPersonas(imported=count))
    else:
        on_stderr().print(f"Imported {number_of(count, 'persona')}")


async def _imported(user: UUID | None, backup: Sequence[BackedUpPersona]) -> int:
    async with open_personas() as personas:
        held = {(one.name, one.description) for one in (await personas.of(user)).personas}
        new = [one for one in backup if (" ".join(one.name.split()), one.description) not in held]
        for one in new:
            fields = {"name": one.name, "description": one.description}
            await personas.add(user, fields, is_default=one.is_default)
        return len(new)
