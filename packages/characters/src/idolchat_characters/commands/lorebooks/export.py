"""``idol lorebooks export``."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from idolchat_characters.books import Lorebook
from idolchat_characters.commands.lorebooks.opening import Book, find, open_books
from idolchat_cli.files import STANDARD
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.usage import WrongUsage

__all__ = ["app"]

app = new_app()


@app.command("export", epilog=examples("idol lorebooks export 0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b -o town.json"))
def export(
    lorebook: Book,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write; - is standard output.")
    ] = STANDARD,
) -> None:
    """Write a lorebook in the form that it was imported in. A file that is there is not overwritten."""
    text = json.dumps(asyncio.run(_found(lorebook)).book, ensure_ascii=False, indent=2) + "\n"
    if output == STANDARD:
        sys.stdout.write(text)
        return
    try:
        with output.open("x", encoding="utf-8") as written:
            written.write(text)
    except OSError as error:
        raise WrongUsage(f"{output} cannot be written: {error.strerror}") from error


async def _found(lorebook_id: UUID) -> Lorebook:
    async with open_books() as books:
        return await find(books, lorebook_id)
