"""``idol characters list``."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from idolchat_characters.commands.opening import open_library
from idolchat_characters.library import CharacterPage
from idolchat_characters.library.access import OPERATOR
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, on_stderr, on_stdout, print_json, show, table

__all__ = ["RESULT", "app"]

RESULT = CharacterPage

app = new_app()


@app.command("list", epilog=examples("idol characters list", "idol characters list --tag idol --json"))
def list_characters(
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    text: Annotated[str | None, typer.Option(help="Only those with these words in name, creator or tags.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    before: Annotated[
        UUID | None, typer.Option(metavar="NEXT", help="Go on where another page ended: its `next`.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List characters, the newest first."""
    page = asyncio.run(_page(tag, text, limit, before))
    if as_json:
        print_json(page)
        return
    rows = (
        [cell(str(one.id)), cell(one.slug or "-"), cell(one.name), cell(one.visibility), cell(", ".join(one.tags))]
        for one in page.data
    )
    show(on_stdout(), table("CHARACTER", "SLUG", "NAME", "VISIBILITY", "TAGS", rows=rows))
    if page.next is not None:
        on_stderr().print(f"More: --before {page.next}", style="dim")


async def _page(tag: str | None, text: str | None, limit: int, before: UUID | None) -> CharacterPage:
    async with open_library() as library:
        return await library.list(OPERATOR, tag=tag, text=text, limit=limit, before=before)
