"""``idol memory notes delete``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.confirmation import confirm
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson, Yes
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result
from idolchat_memory.commands.notes.opening import User, find, open_notes

__all__ = ["RESULT", "app"]


class DeletedNotes(Result):
    """What was deleted."""

    deleted: int = Field(description="notes, with the older ones that they stood in place of")


RESULT = DeletedNotes

app = new_app()


@app.command(
    "delete", epilog=examples("idol memory notes delete 0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b --user ada --yes")
)
def delete(
    note_ids: Annotated[list[UUID], typer.Argument(metavar="NOTE", help="Their ids.")],
    user: User = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete notes for good, with the older ones that they stand in place of."""
    confirm(f"Delete {number_of(len(note_ids), 'note')}?", yes=yes)
    count = asyncio.run(_deleted(user, note_ids))
    if as_json:
        print_json(DeletedNotes(deleted=count))
    else:
        on_stderr().print(f"Deleted {number_of(count, 'note')}")


async def _deleted(user: str | None, note_ids: Sequence[UUID]) -> int:
    async with open_notes() as store:
        notes = [await find(store, user, note_id) for note_id in note_ids]
        return sum([await store.delete(note) for note in notes])
