"""``idol characters import``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import Field

from idolchat_characters.commands.files import card_files, file_content
from idolchat_characters.commands.opening import open_library
from idolchat_characters.library import CharacterLibrary
from idolchat_characters.library.access import OPERATOR
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.progress import progress
from idolchat_cli.render import on_stderr, on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_cli.usage import WrongUsage
from idolchat_core import InvalidRequest, StorageConflict

__all__ = ["RESULT", "app"]


class Visibility(StrEnum):
    """Who may use the characters."""

    PUBLIC = "public"
    PRIVATE = "private"
    HIDDEN = "hidden"


class ImportedCard(Result):
    """What became of a file."""

    file: str
    id: UUID | None = Field(description="the new character; null where the card was refused")
    slug: str | None
    error: str | None
    warnings: list[str] = Field(description="what is used otherwise than written")


RESULT = list[ImportedCard]

app = new_app()


@app.command(
    "import",
    epilog=examples(
        "idol characters import mika.png",
        "idol characters import cards/ --visibility hidden",
        "idol characters import mika.charx --visibility private --owner 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e",
    ),
)
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Card files, and folders of them.")],
    visibility: Annotated[Visibility, typer.Option(help="Who may use the characters.")] = Visibility.PUBLIC,
    owner: Annotated[UUID | None, typer.Option(metavar="ID", help="The user whose characters they are.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create characters from card files: JSON, PNG, APNG, CHARX and WebP.

    Exits with 1 if a card was refused; the others are imported.
    """
    if visibility is Visibility.PRIVATE and owner is None:
        raise WrongUsage("a private character is its owner's: name the user with --owner, or make it public or hidden")
    fields = {"visibility": visibility.value, "owner_id": owner}
    results = asyncio.run(_imported(card_files(files), fields))
    if as_json:
        print_json(results)
    else:
        for result in results:
            _show(result)
    if any(result.error for result in results):
        raise typer.Exit(1)


async def _imported(files: Sequence[Path], fields: Mapping[str, Any]) -> list[ImportedCard]:
    results = []
    async with open_library() as library:
        with progress("Importing", total=len(files), unit="cards") as importing:
            for file in files:
                results.append(await _import(library, file, fields))
                importing.advance()
    return results


async def _import(library: CharacterLibrary, file: Path, fields: Mapping[str, Any]) -> ImportedCard:
    try:
        content = await asyncio.to_thread(file_content, file, library.settings.max_import_bytes)
        record, reading = await library.import_card(content, OPERATOR, fields=fields)
    except (InvalidRequest, StorageConflict) as error:
        return ImportedCard(file=str(file), id=None, slug=None, error=str(error), warnings=[])
    warnings = [f"{problem.place}: {problem.message}" for problem in reading.warnings]
    return ImportedCard(file=str(file), id=record.id, slug=record.character.slug, error=None, warnings=warnings)


def _show(result: ImportedCard) -> None:
    for warning in result.warnings:
        on_stderr().print(printable(f"{result.file}: {warning}"), style="yellow")
    if result.error is not None:
        on_stderr().print(printable(f"{result.file}: not imported: {result.error}"), style="red")
    else:
        on_stdout().print(printable(f"{result.id} {result.slug}"))
