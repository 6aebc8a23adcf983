"""``idol personas add``."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from idolchat_characters.commands.personas.opening import User, open_personas
from idolchat_characters.personas import Persona
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.render import on_stdout, print_json

__all__ = ["RESULT", "app"]

RESULT = Persona

app = new_app()


@app.command(
    "add",
    epilog=examples(
        "idol personas add Ana", 'idol personas add Captain --description "{{user}} has a ship." --default'
    ),
)
def add(
    name: Annotated[str, typer.Argument(help="What the character calls the user: `{{user}}`.")],
    description: Annotated[str, typer.Option(help="Who that is, for the model; macros work in it.")] = "",
    default: Annotated[bool, typer.Option("--default", help="Play it where a conversation names none.")] = False,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Create a persona; the first one is the default."""
    persona = asyncio.run(_added(user, name, description, is_default=default))
    if as_json:
        print_json(persona)
    else:
        on_stdout().print(printable(f"{persona.id} {persona.name}"))


async def _added(user: UUID | None, name: str, description: str, *, is_default: bool) -> Persona:
    async with open_personas() as personas:
        return await personas.add(user, {"name": name, "description": description}, is_default=is_default)
