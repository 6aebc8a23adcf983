"""``idol memory notes add``."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.render import on_stdout, print_json
from idolchat_cli.usage import WrongUsage
from idolchat_core import new_id, utc_now
from idolchat_memory.commands.notes.opening import User, open_notes
from idolchat_memory.notes import MAX_TEXT, Note

__all__ = ["RESULT", "app", "checked_text"]

RESULT = Note

app = new_app()


@app.command(
    "add",
    epilog=examples(
        'idol memory notes add "Is allergic to nuts" --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e',
        'idol memory notes add "Calls me Captain" --pin --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e',
    ),
)
def add(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be kept.")],
    user: User = None,
    character: Annotated[
        UUID | None, typer.Option(metavar="ID", help="Id of the character, not her slug; without, for every one.")
    ] = None,
    pin: Annotated[bool, typer.Option("--pin", help="Have it in every prompt, as far as there is room.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep something about a user."""
    now = utc_now()
    note = Note(
        id=new_id(),
        user_id=user,
        character_id=None if character is None else str(character),
        text=checked_text(text),
        pinned=pin,
        written_by="app",
        said_at=now,
        created_at=now,
        updated_at=now,
    )
    asyncio.run(_added(note))
    if as_json:
        print_json(note)
    else:
        on_stdout().print(printable(str(note.id)))


def checked_text(text: str) -> str:
    """Return the text of a note. Raises ``WrongUsage`` for one that is empty or too long."""
    text = text.strip()
    if not 0 < len(text) <= MAX_TEXT:
        raise WrongUsage(f"a note has 1 to {MAX_TEXT} characters, and this has {len(text)}")
    return text


async def _added(note: Note) -> None:
    async with open_notes() as store:
        await store.add(note)
