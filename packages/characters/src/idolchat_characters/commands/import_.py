"""``idol characters import``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import Field

from idolchat_characters.commands.files import card_files, file_content
from idolchat_characters.commands.opening import open_to_write
from idolchat_characters.library import CharacterLibrary
from idolchat_characters.library.access import OPERATOR
from idolchat_characters.starter import starter_card
from idolchat_characters.window_fit import FitCheck
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
        "idol characters import --starter",
        "idol characters import mika.charx --visibility private --owner 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e",
    ),
)
def import_(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Card files, and folders of them; - is standard input.")
    ] = None,
    starter: Annotated[bool, typer.Option("--starter", help="The character that comes with idolchat.")] = False,
    visibility: Annotated[Visibility, typer.Option(help="Who may use the characters.")] = Visibility.PUBLIC,
    owner: Annotated[UUID | None, typer.Option(metavar="ID", help="The user whose characters they are.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create characters from card files: JSON, PNG, APNG, CHARX and WebP.

    Exits with 1 if a card was refused; the others are imported.
    """
    if visibility is Visibility.PRIVATE and owner is None:
        raise WrongUsage("a private character is its owner's: name the user with --owner, or make it public or hidden")
    if not files and not starter:
        raise WrongUsage("nothing to import: name card files, or write --starter")
    fields = {"visibility": visibility.value, "owner_id": owner}
    results = asyncio.run(_imported(_cards(files or (), starter=starter), fields))
    if as_json:
        print_json(results)
    else:
        for result in results:
            _show(result)
    if any(result.error for result in results):
        raise typer.Exit(1)


type Card = tuple[str, Callable[[int], bytes]]
"""What to call a card, and how to read at most so many bytes of it."""


def _cards(files: Sequence[Path], *, starter: bool) -> list[Card]:
    cards: list[Card] = [(str(file), partial(file_content, file)) for file in card_files(files)]
    return [("lumi.png", lambda _: starter_card()), *cards] if starter else cards


async def _imported(cards: Sequence[Card], fields: Mapping[str, Any]) -> list[ImportedCard]:
    results = []
    async with open_to_write() as (library, fits):
        with progress("Importing", total=len(cards), unit="cards") as importing:
            for file, read in cards:
                results.append(await _import(library, file, read, fields, fits))
                importing.advance()
    return results


async def _import(
    library: CharacterLibrary,
    file: str,
    read: Callable[[int], bytes],
    fields: Mapping[str, Any],
    fits: FitCheck | None,
) -> ImportedCard:
    try:
        content = await asyncio.to_thread(read, library.settings.max_import_bytes)
        record, reading = await library.import_card(content, OPERATOR, fields=fields, fits=fits)
    except (InvalidRequest, StorageConflict) as error:
        return ImportedCard(file=file, id=None, slug=None, error=str(error), warnings=[])
    warnings = [f"{problem.place}: {problem.message}" for problem in reading.warnings]
    return ImportedCard(file=file, id=record.id, slug=record.character.slug, error=None, warnings=warnings)


def _show(result: ImportedCard) -> None:
    for warning in result.warnings:
        on_stderr().print(printable(f"{result.file}: {warning}"), style="yellow")
    if result.error is not None:
        on_stderr().print(printable(f"{result.file}: not imported: {result.error}"), style="red")
    else:
        on_stdout().print(printable(f"{result.id} {result.slug}"))
