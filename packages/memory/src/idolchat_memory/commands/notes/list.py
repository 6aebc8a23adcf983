"""``idol memory notes list``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, clock, on_stdout, print_json, show, table
from idolchat_cli.results import Result
from idolchat_memory.commands.notes.opening import User, open_notes
from idolchat_memory.notes import Note

__all__ = ["RESULT", "app"]


class ListedNotes(Result):
    """What is kept about a user."""

    data: list[Note] = Field(description="the newest first")


RESULT = ListedNotes

app = new_app()


@app.command(
    "list",
    epilog=examples(
        "idol memory notes list --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e",
        "idol memory notes list --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e --all --json",
    ),
)
def list_notes(
    user: User = None,
    character: Annotated[str | None, typer.Option(help="Those that hold with this character alone.")] = None,
    superseded: Annotated[bool, typer.Option("--all", help="Also those that others stand in place of.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what is kept about a user, the newest first, each with where it came from."""
    listed = asyncio.run(_listed(user, character, superseded=superseded))
    if as_json:
        print_json(listed)
        return
    rows = (
        [
            cell(str(note.id)),
            cell(clock(note.said_at)),
            cell(_from(note)),
            cell("yes" if note.pinned else "-"),
            cell(note.character_id or "-"),
            cell(note.text if note.is_current else f"(no longer) {note.text}"),
        ]
        for note in listed.data
    )
    show(on_stdout(), table("NOTE", "SAID", "FROM", "PINNED", "CHARACTER", "TEXT", rows=rows, unbroken=("SAID",)))


async def _listed(user: str | None, character: str | None, *, superseded: bool) -> ListedNotes:
    async with open_notes() as store:
        notes = [
            note
            for note in await store.of_user(user)
            if (superseded or note.is_current) and (character is None or note.character_id in (None, character))
        ]
        return ListedNotes(data=notes)


def _from(note: Note) -> str:
    return f"{note.written_by}, {len(note.sources)} messages" if note.sources else note.written_by
