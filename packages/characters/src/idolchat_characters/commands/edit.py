"""``idol characters edit``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from idolchat_characters.commands.fields import Files, Values, given_fields
from idolchat_characters.commands.opening import find, open_to_write
from idolchat_characters.library import CharacterRecord
from idolchat_characters.library.access import OPERATOR
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.render import on_stdout, print_json
from idolchat_cli.usage import WrongUsage

__all__ = ["RESULT", "app"]

RESULT = CharacterRecord

app = new_app()


@app.command(
    "edit",
    epilog=examples(
        "idol characters edit mika --set nickname=Mi",
        "idol characters edit mika --set visibility=public --set 'tags=[\"idol\"]'",
        "idol characters edit mika --file description=mika.txt",
    ),
)
def edit(
    name: Annotated[str, typer.Argument(metavar="CHARACTER", help="Its id or slug.")],
    values: Values = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Change fields of a character."""
    changes = given_fields(values or (), files or ())
    if not changes:
        raise WrongUsage("nothing to change: write --set FIELD=VALUE or --file FIELD=FILE")
    record = asyncio.run(_edited(name, changes))
    if as_json:
        print_json(record)
    else:
        on_stdout().print(printable(f"{record.id} is at version {record.version}"))


async def _edited(name: str, changes: Mapping[str, Any]) -> CharacterRecord:
    async with open_to_write() as (library, fits):
        return await library.update(await find(library, name), changes, OPERATOR, fits=fits)
