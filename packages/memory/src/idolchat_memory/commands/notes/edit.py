"""``idol memory notes edit``."""

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
from idolchat_memory.commands.notes.add import checked_text
from idolchat_memory.commands.notes.opening import User, find, open_notes
from idolchat_memory.notes import Note

__all__ = ["RESULT", "app"]

RESULT = Note

app = new_app()


@app.command(
    "edit",
    epilog=examples(
        'idol memory notes edit 0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b "Eats fish again" --user ada',
        "idol memory notes edit 0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b --pin --user ada",
    ),
)
def edit(
    note_id: Annotated[UUID, typer.Argument(metavar="NOTE", help="Its id.")],
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What holds now in its place.")] = None,
    user: User = None,
    pin: Annotated[bool | None, typer.Option("--pin/--unpin", help="Have it in every prompt, or not.")] = None,
    as_json: AsJson = False,
) -> None:
    """Pin a note, or put another text in its place; the old note stays, and is in no prompt alone."""
    if text is None and pin is None:
        raise WrongUsage("nothing to change: write a TEXT, or --pin or --unpin")
    note = asyncio.run(_edited(user, note_id, None if text is None else checked_text(text), pin))
    if as_json:
        print_json(note)
    else:
        on_stdout().print(printable(str(note.id)))


async def _edited(user: str | None, note_id: UUID, text: str | None, pin: bool | None) -> Note:
    async with open_notes() as store:
        note = await find(store, user, note_id)
        return await store.rewrite(note, text=text, is_pinned=pin, written_by="app")
