"""``idol personas edit``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import typer

from idolchat_characters.commands.personas.opening import User, find, open_personas
from idolchat_characters.personas import Persona
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.render import on_stdout, print_json
from idolchat_cli.usage import WrongUsage

__all__ = ["RESULT", "app"]

RESULT = Persona

app = new_app()


@app.command("edit", epilog=examples("idol personas edit Ana --name Anna", "idol personas edit Captain --default"))
def edit(
    persona: Annotated[str, typer.Argument(metavar="PERSONA", help="Its id or name.")],
    name: Annotated[str | None, typer.Option(help="Its new name; what was said stays as it is.")] = None,
    description: Annotated[str | None, typer.Option(help="Its new description.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Play it where a conversation names none.")] = False,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Change a persona, or make it the default."""
    changes = {"name": name, "description": description}
    fields = {field: value for field, value in changes.items() if value is not None}
    if not fields and not default:
        raise WrongUsage("nothing to change: write --name, --description or --default")
    changed = asyncio.run(_edited(user, persona, fields, is_default=default))
    if as_json:
        print_json(changed)
    else:
        on_stdout().print(printable(f"{changed.id} {changed.name}"))


async def _edited(user: UUID | None, name: str, fields: Mapping[str, str], *, is_default: bool) -> Persona:
    async with open_personas() as personas:
        found = await find(personas, user, name)
        changed = await personas.update(user, found.id, fields)
        if is_default:
            await personas.choose_default(user, found.id)
        return changed or found
