"""``idol characters edit``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from idolchat_characters.character import Character
from idolchat_characters.commands.opening import find, open_library
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
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field's new value; JSON where the field is no text."),
    ] = None,
    files: Annotated[
        list[str] | None, typer.Option("--file", metavar="FIELD=FILE", help="A field's new value, from a file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change fields of a character."""
    changes = {field: _value(field, text) for field, text in map(_pair, values or ())}
    changes |= {field: _value(field, _text_of(Path(file))) for field, file in map(_pair, files or ())}
    if not changes:
        raise WrongUsage("nothing to change: write --set FIELD=VALUE or --file FIELD=FILE")
    record = asyncio.run(_edited(name, changes))
    if as_json:
        print_json(record)
    else:
        on_stdout().print(printable(f"{record.id} is at version {record.version}"))


async def _edited(name: str, changes: Mapping[str, Any]) -> CharacterRecord:
    async with open_library() as library:
        return await library.update(await find(library, name), changes, OPERATOR)


def _pair(text: str) -> Sequence[str]:
    field, equals, value = text.partition("=")
    if not equals:
        raise WrongUsage(f"{text!r} is not FIELD=VALUE")
    return field, value


def _value(field: str, text: str) -> Any:
    """Read JSON for fields that hold no text."""
    known = Character.model_fields.get(field)
    if known is None or isinstance(known.default, str) or known.is_required() or field in ("nickname", "slug", "model"):
        return text or (None if known is not None and known.default is None else text)
    try:
        return json.loads(text)
    except ValueError:
        if field == "owner_id":
            return text
        raise WrongUsage(f"{field} takes JSON, and this is none: {text[:60]!r}") from None


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{file} cannot be read as UTF-8 text: {error}") from error
