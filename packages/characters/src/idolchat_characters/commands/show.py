"""``idol characters show``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from idolchat_characters.commands.opening import find, open_library
from idolchat_characters.library import CharacterRecord
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, on_stdout, print_json, show, table

__all__ = ["RESULT", "app"]

RESULT = CharacterRecord
SHOWN_CHARS = 500

app = new_app()


@app.command("show", epilog=examples("idol characters show mika", "idol characters show mika --json"))
def show_character(
    name: Annotated[str, typer.Argument(metavar="CHARACTER", help="Its id or slug.")],
    as_json: AsJson = False,
) -> None:
    """Show a character: its fields, long ones shortened; all of them with --json."""
    record = asyncio.run(_found(name))
    if as_json:
        print_json(record)
        return
    facts = {"id": record.id, "version": record.version, "files": len(record.assets)}
    fields = record.character.model_dump(mode="json", exclude_defaults=True)
    rows = ([cell(field), cell(_shortened(value))] for field, value in {**facts, **fields}.items())
    show(on_stdout(), table("FIELD", "VALUE", rows=rows))


async def _found(name: str) -> CharacterRecord:
    async with open_library() as library:
        return await find(library, name)


def _shortened(value: object) -> str:
    text = str(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}… ({len(text):,} characters)"
