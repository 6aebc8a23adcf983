"""``idol lorebooks list``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from idolchat_characters.books import BookSummary
from idolchat_characters.books.records import SERVER
from idolchat_characters.commands.lorebooks.opening import OfServer, User, open_books
from idolchat_characters.personas.persona import owner_name
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, on_stdout, print_json, show, table

__all__ = ["RESULT", "app"]

RESULT = list[BookSummary]

app = new_app()


@app.command("list", epilog=examples("idol lorebooks list", "idol lorebooks list --server --json"))
def list_books(user: User = None, server: OfServer = False, as_json: AsJson = False) -> None:
    """List the lorebooks of a user and their conversations, or the server's, the oldest first.

    Without --user they are those of conversations that have no user.
    """
    books = asyncio.run(_books(SERVER if server else user))
    if as_json:
        print_json(list(books))
        return
    rows = (
        [
            cell(str(one.id)),
            cell(one.name),
            cell(str(one.conversation_id or one.scope)),
            cell(str(one.entry_count)),
            cell("yes" if one.is_enabled else "no"),
        ]
        for one in books
    )
    show(on_stdout(), table("LOREBOOK", "NAME", "OF", "ENTRIES", "ON", rows=rows))


async def _books(whose: UUID | str | None) -> Sequence[BookSummary]:
    async with open_books() as books:
        return await books.list(whose if isinstance(whose, str) else owner_name(whose))
