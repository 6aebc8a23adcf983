"""``idol conversations stats``."""

from __future__ import annotations

import asyncio

from idolchat_cli.conversations.filters import Character, Filters, Since, Until, User
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, clock, columns, on_stdout, print_json, show
from idolchat_core.storage.stats import StorageStats

__all__ = ["RESULT", "app"]

RESULT = StorageStats

app = new_app()


@app.command(
    epilog=examples("idol conversations stats", "idol conversations stats --since 7d --json | jq .conversations")
)
def stats(
    user: User = None, character: Character = None, since: Since = None, until: Until = None, as_json: AsJson = False
) -> None:
    """Count conversations, messages, users and characters."""
    counted = asyncio.run(_counted(Filters(user=user, character=character, since=since, until=until)))
    if as_json:
        print_json(counted)
        return
    facts = {
        "conversations": f"{counted.conversations:,}",
        "messages": f"{counted.messages:,}",
        "users": f"{counted.users:,}",
        "characters": f"{counted.characters:,}",
        "damaged": f"{counted.damaged:,}",
        "size": "unknown" if counted.size_bytes is None else f"{counted.size_bytes / 1e6:,.1f} MB",
        "first begun": clock(counted.first_at) if counted.first_at else "-",
        "last changed": clock(counted.last_at) if counted.last_at else "-",
    }
    rows = ([cell(name), cell(fact)] for name, fact in facts.items())
    show(on_stdout(), columns(rows, widths=[len("conversations")]))


async def _counted(filters: Filters) -> StorageStats:
    async with open_conversations(looks_at_all=True) as opened:
        return await opened.storage.stats(filters.for_storage())
