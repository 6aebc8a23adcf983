"""``idol memory search``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, clock, on_stderr, on_stdout, print_json, show, table
from idolchat_core import MemoryScope, read_settings, utc_now
from idolchat_memory.recall import RecallQuery
from idolchat_memory.results import MemorySearchResult
from idolchat_memory.searching import scopes_for, search
from idolchat_memory.service import memory_of
from idolchat_memory.settings import MemorySettings

__all__ = ["RESULT", "app"]

RESULT = MemorySearchResult
WIDTH = 100

app = new_app()


@app.command(
    "search",
    epilog=examples(
        'idol memory search "What is my dog called?" --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e',
        'idol memory search "last week" --json',
    ),
)
def search_memory(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A question, as one would ask the character.")],
    user: Annotated[str | None, typer.Option(help="Id of the user; without it, conversations of nobody.")] = None,
    character: Annotated[str | None, typer.Option(help="Id of the character; without it, of none.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=50, help="How many at most.")] = 10,
    everything: Annotated[bool, typer.Option("--all", help="Also what is too far from the question.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find what was said that answers a question, best first, as a turn does."""
    query = RecallQuery(text, now=utc_now(), limit=limit)
    scope = MemoryScope(user_id=user, character_id=character)
    found = asyncio.run(_found(scope, query._replace(floor=None) if everything else query))
    if as_json:
        print_json(found)
        return
    rows = (
        [cell(f"{one.score:.1f}"), cell(clock(one.said_at)), cell(one.speaker or one.role), cell(_short(one.text))]
        for one in found.data
    )
    if found.data:
        show(on_stdout(), table(">SCORE", "SAID", "BY", "TEXT", rows=rows, unbroken=("SAID",)))
    else:
        on_stderr().print(f"Nothing is found.{_why_none(user)}")
    if found.time_not_read:
        on_stderr().print(f"Not read as a time: {found.time_not_read}", style="dim")


def _why_none(user: str | None) -> str:
    if user is not None or read_settings(MemorySettings).anonymous:
        return ""
    return (
        " What has no user is not remembered: name one with --user, or set IDOLCHAT_MEMORY_ANONYMOUS=on where all of it"
        " is one person's."
    )


async def _found(scope: MemoryScope, query: RecallQuery) -> MemorySearchResult:
    async with open_conversations() as opened, memory_of(opened.storage) as memory:
        if memory.model is not None:
            await memory.model.load()
        scopes = await scopes_for(memory, scope, await memory.choices.of(scope.user_id))
        return MemorySearchResult.of(await search(memory, scopes, query, asking=scope))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}\u2026"
