"""``idol characters duplicate``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from idolchat_characters.commands.fields import Files, Values, given_fields
from idolchat_characters.commands.opening import find, open_library
from idolchat_characters.library import CharacterRecord
from idolchat_characters.library.access import OPERATOR
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.render import on_stdout, print_json

__all__ = ["RESULT", "app"]

RESULT = CharacterRecord

app = new_app()


@app.command(
    "duplicate",
    epilog=examples("idol characters duplicate mika", "idol characters duplicate mika --set slug=mika-in-winter"),
)
def duplicate(
    name: Annotated[str, typer.Argument(metavar="CHARACTER", help="Its id or slug.")],
    values: Values = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Copy a character with its card and files, under a slug of its own."""
    record = asyncio.run(_duplicated(name, given_fields(values or (), files or ())))
    if as_json:
        print_json(record)
    else:
        on_stdout().print(printable(f"{record.id} {record.character.slug}"))


async def _duplicated(name: str, fields: Mapping[str, Any]) -> CharacterRecord:
    async with open_library() as library:
        return await library.duplicate(await find(library, name), OPERATOR, fields=fields)
