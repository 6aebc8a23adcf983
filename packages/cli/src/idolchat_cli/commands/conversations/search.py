"""``idol conversations search``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from idolchat_cli.conversations.filters import Character, Filters, Since, Until, User
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.printable import printable
from idolchat_cli.render import clock, on_stderr, on_stdout, print_json
from idolchat_core.search import SearchHit, SearchResults

__all__ = ["RESULT", "app"]

RESULT = SearchResults

app = new_app()


@app.command(
    epilog=examples(
        "idol conversations search 'cherry blossom'",
        "idol conversations search '\"good night\" concert*' --since 30d",
        "idol conversations search Mika --json | jq -r '.data[].conversation_id' | sort -u",
    )
)
def search(
    query: Annotated[str, typer.Argument(help='Words and "phrases" that a message must hold; word* for a beginning.')],
    user: User = None,
    character: Character = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many messages at most.")] = 20,
    before: Annotated[
        str | None, typer.Option(metavar="NEXT", help="Go on where another page ended: its `next`.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search everything that was said.

    Finds messages, the newest first, whatever their case and accents.
    """
    filters = Filters(user=user, character=character, since=since, until=until)
    found = asyncio.run(_found(query, filters, limit, before))
    if as_json:
        print_json(found)
    else:
        _show(on_stdout(), found)


async def _found(query: str, filters: Filters, limit: int, before: str | None) -> SearchResults:
    async with open_conversations() as opened:
        return await opened.storage.search(query, filters.for_storage(), limit=limit, before=before)


def _show(console: Console, found: SearchResults) -> None:
    for number, hit in enumerate(found.data):
        console.print(f"{hit.conversation_id}  {clock(hit.timestamp)}  {printable(hit.role)}", style="dim")
        console.print(_highlighted(hit))
        if number + 1 < len(found.data):
            console.print()
    if found.next is not None:
        on_stderr().print(f"More: --before {found.next}", style="dim")
    if not found.data:
        on_stderr().print("Nothing found.")


def _highlighted(hit: SearchHit) -> Text:
    result = Text()
    done = 0
    for start, end in hit.matches:
        result.append(_line(hit.snippet[done:start]))
        result.append(_line(hit.snippet[start:end]), "bold reverse")
        done = end
    return result.append(_line(hit.snippet[done:]))


def _line(text: str) -> str:
    return printable(text).replace("\n", " ")
