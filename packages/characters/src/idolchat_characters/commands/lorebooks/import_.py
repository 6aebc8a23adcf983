"""``idol lorebooks import``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import Field

from idolchat_characters.books import BookLibrary, books_of
from idolchat_characters.commands.files import file_content
from idolchat_characters.commands.lorebooks.opening import OfServer, User, open_storage
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.render import on_stderr, on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_cli.usage import WrongUsage
from idolchat_core import InvalidRequest, Storage

__all__ = ["RESULT", "app"]


class ImportedBook(Result):
    """What became of a file."""

    file: str
    id: UUID | None = Field(description="the new lorebook; null where the file was refused")
    entries: int
    error: str | None
    warnings: list[str] = Field(description="what does not work as its author may expect")


RESULT = list[ImportedBook]

app = new_app()


@app.command(
    "import",
    epilog=examples(
        "idol lorebooks import town.json --server",
        "idol lorebooks import worlds/*.json --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e",
        "idol lorebooks import plot.json --conversation 0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
    ),
)
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="World files, V2 and V3 books, cards with one; - is standard input."),
    ],
    server: OfServer = False,
    user: User = None,
    conversation: Annotated[UUID | None, typer.Option(metavar="ID", help="Scan them in this one alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Store lorebooks: of the server, of a user, or of a conversation.

    Without an option they are scanned in the conversations that have no user. Exits with 1 if a file was refused; the
    others are stored.
    """
    if sum((server, user is not None, conversation is not None)) > 1:
        raise WrongUsage("--server, --user and --conversation do not go together: a lorebook has one place")
    results = asyncio.run(_imported(files, server, user, conversation))
    if as_json:
        print_json(results)
    else:
        for result in results:
            _show(result)
    if any(result.error for result in results):
        raise typer.Exit(1)


async def _imported(
    files: Sequence[Path], server: bool, user: UUID | None, conversation: UUID | None
) -> list[ImportedBook]:
    async with open_storage() as storage:
        place = await _place(storage, server, user, conversation)
        return [await _import(books_of(storage), file, place) for file in files]


async def _place(storage: Storage, server: bool, user: UUID | None, conversation: UUID | None) -> dict[str, Any]:
    if server:
        return {"scope": "server"}
    if conversation is None:
        return {"scope": "user", "user_id": user}
    owner = (await storage.read_page(conversation, limit=1)).conversation.user_id
    user_id = owner if isinstance(owner, UUID) else None
    return {"scope": "conversation", "user_id": user_id, "conversation_id": conversation}


async def _import(books: BookLibrary, file: Path, place: dict[str, Any]) -> ImportedBook:
    try:
        content = await asyncio.to_thread(file_content, file, books.settings.max_book_bytes)
        book, problems = await books.add(content, name=None, **place)
    except InvalidRequest as error:
        return ImportedBook(file=str(file), id=None, entries=0, error=str(error), warnings=[])
    warnings = [f"entry {it.entry}: {it.text}" if it.entry else it.text for it in problems]
    return ImportedBook(file=str(file), id=book.id, entries=book.entry_count, error=None, warnings=warnings)


def _show(result: ImportedBook) -> None:
    for warning in result.warnings:
        on_stderr().print(printable(f"{result.file}: {warning}"), style="yellow")
    if result.error is not None:
        on_stderr().print(printable(f"{result.file}: not imported: {result.error}"), style="red")
    else:
        on_stdout().print(printable(f"{result.id} {result.file}"))
