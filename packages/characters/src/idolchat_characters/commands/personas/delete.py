"""``idol personas delete``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_characters.commands.personas.opening import User, find, open_personas
from idolchat_cli.confirmation import confirm
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson, Yes
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result

__all__ = ["RESULT", "app"]


class DeletedPersonas(Result):
    """What was deleted."""

    deleted: int = Field(description="personas; conversations that named one go on with the default")


RESULT = DeletedPersonas

app = new_app()


@app.command("delete", epilog=examples("idol personas delete Captain --yes"))
def delete(
    names: Annotated[list[str], typer.Argument(metavar="PERSONA", help="Ids or names.")],
    user: User = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete personas; conversations that named one go on with the default."""
    confirm(f"Delete {number_of(len(names), 'persona')}?", yes=yes)
    asyncio.run(_deleted(user, names))
    if as_json:
        print_json(DeletedPersonas(deleted=len(names)))
    else:
        on_stderr().print(f"Deleted {number_of(len(names), 'persona')}")


async def _deleted(user: UUID | None, names: Sequence[str]) -> None:
    async with open_personas() as personas:
        found = [await find(personas, user, name) for name in names]
        for persona in found:
            await personas.delete(user, persona.id)
