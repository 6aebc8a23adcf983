"""``idol conversations list``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer
from pydantic import Field
from rich.console import Console
from rich.text import Text

from idolchat_cli.conversations.filters import Character, Filters, Since, Status, Until, User
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, clock, on_stderr, on_stdout, print_json, show, table
from idolchat_cli.results import Result
from idolchat_core.models import ConversationSummary, StoredId
from idolchat_core.storage.contract import Storage

__all__ = ["RESULT", "app"]

WIDE, STATUS = 138, 9
"""Columns that a table with whole ids of users and characters takes, and that their status takes beside."""
SHORT = 8


class Listed(Result):
    """A page of the list."""

    data: list[ConversationSummary] = Field(description="the last changed first")
    has_more: bool
    next: str | None = Field(description="what --before takes for the page that follows; null at the end")


RESULT = Listed

app = new_app()


@app.command(
    "list",
    epilog=examples(
        "idol conversations list",
        "idol conversations list --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e --since 2026-01-01",
        "idol conversations list --status damaged --json | jq -r '.data[].id'",
    ),
)
def list_conversations(
    user: User = None,
    character: Character = None,
    since: Since = None,
    until: Until = None,
    status: Status = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    before: Annotated[
        str | None, typer.Option(metavar="NEXT", help="Go on where another page ended: its `next`.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List conversations, the last changed first."""
    filters = Filters(user=user, character=character, since=since, until=until, status=status)
    page = asyncio.run(_page(filters, limit, before))
    if as_json:
        print_json(page)
    else:
        _show(on_stdout(), page)


async def _page(filters: Filters, limit: int, before: str | None) -> Listed:
    async with open_conversations() as opened:
        return await read_list(opened.storage, filters, limit=limit, before=before)


async def read_list(storage: Storage, filters: Filters, *, limit: int, before: str | None) -> Listed:
    """Read a page; with a wanted status, as many pages of the storage as it takes."""
    found: list[ConversationSummary] = []
    while True:
        page = await storage.list(filters.for_storage(), limit=limit - len(found), before=before)
        found += filter(filters.takes, page.data)
        before = page.next
        if before is None or len(found) == limit:
            return Listed(data=found, has_more=before is not None, next=before)


def _show(console: Console, page: Listed) -> None:
    if not page.data:
        on_stderr().print("No conversations.")
        return
    columns = _columns(console.width, has_damaged=any(one.status != "ok" for one in page.data))
    rows = ([describe(one) for describe in columns.values()] for one in page.data)
    show(console, table(*columns, rows=rows))
    if page.next is not None:
        on_stderr().print(f"More: --before {page.next}", style="dim")


def _columns(width: int, *, has_damaged: bool) -> dict[str, Callable[[ConversationSummary], Text]]:
    """Choose what fits: whole ids of users and characters, or their beginnings; whose status is worth a word."""
    is_wide = width >= WIDE + (STATUS if has_damaged else 0)
    columns: dict[str, Callable[[ConversationSummary], Text]] = {
        "CONVERSATION": lambda one: cell(str(one.id)),
        "CHANGED (UTC)": lambda one: cell(clock(one.updated_at)),
        ">MSGS": lambda one: cell(str(one.message_count)),
        "USER": lambda one: _owner(one.user_id, is_wide=is_wide),
    }
    if is_wide or not has_damaged:
        columns["CHARACTER" if is_wide else "CHAR"] = lambda one: _owner(one.character_id, is_wide=is_wide)
    if has_damaged:
        columns["STATUS"] = lambda one: cell(one.status, "" if one.status == "ok" else "bold red")
    return columns


def _owner(name: StoredId | None, *, is_wide: bool) -> Text:
    text = "-" if name is None else str(name)
    return cell(text if is_wide or len(text) <= SHORT else f"{text[: SHORT - 1]}…")
