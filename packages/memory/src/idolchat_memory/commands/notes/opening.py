"""Open the notes for a command."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import typer

from idolchat_cli.opening import open_conversations
from idolchat_core import InvalidRequest
from idolchat_memory.notes import Note, NoteStore, notes_of

__all__ = ["User", "find", "open_notes"]

User = Annotated[str | None, typer.Option(help="Id of the user; without it, of nobody in particular.")]


@asynccontextmanager
async def open_notes() -> AsyncGenerator[NoteStore]:
    """Open the notes in the storage that the settings choose."""
    async with open_conversations() as opened:
        yield notes_of(opened.storage)


async def find(store: NoteStore, user: str | None, note_id: UUID) -> Note:
    """Read a note. Raises ``InvalidRequest`` where the user has none of this id."""
    note = await store.find(user, note_id)
    if note is None:
        whose = f"user {user}" if user else "nobody in particular: name its user with --user"
        raise InvalidRequest(f"no note {note_id} of {whose}")
    return note
