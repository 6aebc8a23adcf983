"""``idol lorebooks edit``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from idolchat_characters.books import BookSummary
from idolchat_characters.commands.files import text_of
from idolchat_characters.commands.lorebooks.opening import Book, find, open_books
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.render import on_stderr, on_stdout, print_json
from idolchat_cli.usage import WrongUsage

__all__ = ["RESULT", "app"]

RESULT = BookSummary

app = new_app()

_BOOK = "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b"


@app.command(
    "edit", epilog=examples(f"idol lorebooks edit {_BOOK} --off", f"idol lorebooks edit {_BOOK} --file new.json")
)
def edit(
    lorebook: Book,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is scanned.")] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A book that takes its place; - is standard input.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rename a lorebook, switch it on or off, or replace what is in it."""
    given = {"name": name, "is_enabled": on, "book": None if file is None else _json_of(file)}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise WrongUsage("nothing to change: write --name, --on, --off or --file")
    changed, warnings = asyncio.run(_edited(lorebook, changes))
    for warning in warnings:
        on_stderr().print(printable(warning), style="yellow")
    if as_json:
        print_json(changed)
    else:
        on_stdout().print(printable(f"{changed.id} is at version {changed.version}"))


async def _edited(lorebook_id: UUID, changes: Mapping[str, Any]) -> tuple[BookSummary, list[str]]:
    async with open_books() as books:
        changed, problems = await books.update(await find(books, lorebook_id), changes)
    line = BookSummary.model_validate(changed.model_dump(exclude={"book"}))
    return line, [problem.text for problem in problems]


def _json_of(file: Path) -> Any:
    try:
        return json.loads(text_of(file))
    except (ValueError, RecursionError) as error:
        raise WrongUsage(f"{file} cannot be read as JSON: {error}") from error
