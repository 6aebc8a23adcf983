"""``idol personas list``."""

from __future__ import annotations

import asyncio
from uuid import UUID

from idolchat_characters.commands.personas.opening import User, open_personas
from idolchat_characters.personas import UserPersonas
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, on_stdout, print_json, show, table

__all__ = ["RESULT", "app"]

RESULT = UserPersonas
SHOWN_CHARS = 60

app = new_app()


@app.command("list", epilog=examples("idol personas list", "idol personas list --json"))
def list_personas(user: User = None, as_json: AsJson = False) -> None:
    """List a user's personas, the oldest first."""
    held = asyncio.run(_personas(user))
    if as_json:
        print_json(held)
        return
    rows = (
        [
            cell(str(one.id)),
            cell(one.name),
            cell("yes" if one.id == held.default_id else ""),
            cell(one.description[:SHOWN_CHARS]),
        ]
        for one in held.personas
    )
    show(on_stdout(), table("PERSONA", "NAME", "DEFAULT", "DESCRIPTION", rows=rows))


async def _personas(user: UUID | None) -> UserPersonas:
    async with open_personas() as personas:
        return await personas.of(user)
