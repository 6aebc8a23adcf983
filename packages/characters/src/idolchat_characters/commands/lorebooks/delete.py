"""``idol lorebooks delete``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_characters.commands.lorebooks.opening import find, open_books
from idolchat_cli.confirmation import confirm
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson, Yes
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result

__all__ = ["RESULT", "app"]


class DeletedBooks(Result):
    """What was deleted."""

    deleted: int = Field(description="lorebooks")


RESULT = DeletedBooks

app = new_app()


@app.command("delete", epilog=examples("idol lorebooks delete 0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b --yes"))
def delete(
    lorebooks: Annotated[list[UUID], typer.Argument(metavar="LOREBOOK", help="Ids.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete lorebooks for good."""
    confirm(f"Delete {number_of(len(lorebooks), 'lorebook')}?", yes=yes)
    asyncio.run(_deleted(lorebooks))
    if as_json:
        print_json(DeletedBooks(deleted=len(lorebooks)))
    else:
        on_stderr().print(f"Deleted {number_of(len(lorebooks), 'lorebook')}")


async def _deleted(lorebook_ids: Sequence[UUID]) -> None:
    async with open_books() as books:
        found = [await find(books, lorebook_id) for lorebook_id in dict.fromkeys(lorebook_ids)]
        for book in found:
            await books.delete(book)
