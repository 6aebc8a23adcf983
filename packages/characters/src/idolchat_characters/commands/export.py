"""``idol characters export``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer
from pydantic import Field

from idolchat_characters.cards import CardFormat
from idolchat_characters.commands.opening import find, open_library
from idolchat_cli.files import STANDARD, check_output
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.progress import progress
from idolchat_cli.render import on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_cli.usage import WrongUsage

__all__ = ["RESULT", "app"]


class Format(StrEnum):
    """The formats that are written."""

    JSON = "json"
    PNG = "png"
    CHARX = "charx"


class ExportedCard(Result):
    """A file that was written."""

    character: str = Field(description="the id or slug that was given")
    file: str
    size_bytes: int


RESULT = list[ExportedCard]

app = new_app()


@app.command(
    "export",
    epilog=examples("idol characters export mika", "idol characters export mika -o mika.charx --format charx"),
)
def export(
    names: Annotated[list[str], typer.Argument(metavar="CHARACTER", help="Ids or slugs.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="PATH", help="A folder, or the file for one character; - is standard output."
        ),
    ] = Path(),
    card_format: Annotated[Format | None, typer.Option("--format", help="By default the original's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write characters to card files, byte for byte the original where it was not edited.

    A file that is there is not overwritten.
    """
    into_folder = output != STANDARD and output.is_dir()
    if len(names) > 1 and not into_folder:
        raise WrongUsage(f"{output} is no folder: several characters need one")
    if output == STANDARD:
        check_output(output, is_text=card_format is Format.JSON, replaces=False, as_json=as_json)
    chosen = cast("CardFormat | None", card_format and card_format.value)
    results = asyncio.run(_exported(names, output, chosen, into_folder=into_folder))
    if as_json:
        print_json(results)
    elif output != STANDARD:
        for result in results:
            on_stdout().print(printable(result.file))


async def _exported(
    names: Sequence[str], output: Path, card_format: CardFormat | None, *, into_folder: bool
) -> list[ExportedCard]:
    results = []
    async with open_library() as library:
        with progress("Exporting", total=len(names), unit="characters") as exporting:
            for name in names:
                record = await find(library, name)
                content, chosen = await library.export(record, card_format)
                file = output / f"{record.character.slug or record.id}.{chosen}" if into_folder else output
                await asyncio.to_thread(_write, file, content)
                results.append(ExportedCard(character=name, file=str(file), size_bytes=len(content)))
                exporting.advance()
    return results


def _write(file: Path, content: bytes) -> None:
    if file == STANDARD:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        with file.open("xb") as written:
            written.write(content)
    except FileExistsError:
        raise WrongUsage(f"{file} is there already: move it, or name another with --output") from None
    except OSError as error:
        raise WrongUsage(f"{file} cannot be written: {error.strerror}") from error
