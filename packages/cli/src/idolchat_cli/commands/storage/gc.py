"""``idol storage gc``."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import Field

from idolchat_cli.confirmation import confirm
from idolchat_cli.durations import parse_duration
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson, DryRun, Yes
from idolchat_cli.progress import progress
from idolchat_cli.render import cell, on_stdout, print_json, show, table
from idolchat_cli.results import Result
from idolchat_core.conversations.orphans import collect_garbage
from idolchat_core.storage.maintenance import Leftover

__all__ = ["RESULT", "app"]


class Garbage(Result):
    """What was removed, or would be."""

    dry_run: bool
    removed: tuple[Leftover, ...] = Field(description="what was removed; with --dry-run, what would be")
    size_bytes: int


RESULT = Garbage

OlderThan = Annotated[
    timedelta,
    typer.Option(
        "--older-than",
        metavar="AGE",
        parser=parse_duration,
        help="How old bytes kept by repairs must be: 12h, 30d, 8w.",
    ),
]

app = new_app()


@app.command(epilog=examples("idol storage gc --dry-run", "idol storage gc --older-than 7d --yes"))
def gc(
    older_than: OlderThan = timedelta(days=30),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove what nobody needs any more.

    Files of writers that died, replies of turns whose conversation is gone, words that search keeps of what was
    deleted, and bytes that repairs and crashes set aside, when they are old enough. Asks first.
    """
    found = asyncio.run(_collected(older_than, dry_run=True))
    if found.removed and not dry_run:
        if not as_json:
            _show(found)
        confirm(f"Remove these {len(found.removed):,} for good?", yes=yes)
        found = asyncio.run(_collected(older_than, dry_run=False))
    found = found.model_copy(update={"dry_run": dry_run})
    if as_json:
        print_json(found)
    elif dry_run or not found.removed:
        _show(found)
    else:
        on_stdout().print(f"{len(found.removed):,} removed")


async def _collected(older_than: timedelta, *, dry_run: bool) -> Garbage:
    async with open_conversations() as opened:
        with progress("Looking" if dry_run else "Removing") as bar:
            removed = []
            async for leftover in collect_garbage(opened.storage, older_than=older_than, dry_run=dry_run):
                removed.append(leftover)
                bar.advance()
    size_bytes = sum(leftover.size_bytes for leftover in removed)
    return Garbage(dry_run=dry_run, removed=tuple(removed), size_bytes=size_bytes)


def _show(found: Garbage) -> None:
    console = on_stdout()
    if not found.removed:
        console.print("nothing to remove")
        return
    rows = ([cell(one.kind), cell(f"{one.size_bytes:,}"), cell(one.place)] for one in found.removed)
    show(console, table("KIND", "BYTES", "PLACE", rows=rows))
    console.print(f"\n{len(found.removed):,} with {found.size_bytes:,} bytes")
