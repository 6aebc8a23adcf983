"""Open the personas for a command."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import typer

from idolchat_characters.personas import Persona, PersonaLibrary, personas_of
from idolchat_cli.opening import open_conversations
from idolchat_core import InvalidRequest

__all__ = ["User", "find", "open_personas"]

User = Annotated[UUID | None, typer.Option("--user", metavar="ID", help="The user whose personas they are.")]


@asynccontextmanager
async def open_personas() -> AsyncGenerator[PersonaLibrary]:
    """Open the personas in the storage that the settings choose."""
    async with open_conversations() as opened:
        yield personas_of(opened.storage)


async def find(personas: PersonaLibrary, user: UUID | None, name: str) -> Persona:
    """Find a persona by its id, or by a name that no other of the user has. Raises ``InvalidRequest``."""
    held = (await personas.of(user)).personas
    found = [one for one in held if str(one.id) == name] or [one for one in held if one.name == name]
    if len(found) != 1:
        problem = "no persona" if not found else f"{len(found)} personas are named"
        raise InvalidRequest(f"{problem} {name!r}: `idol personas list` shows the ids of those that there are")
    return found[0]
