"""Open the lorebooks for a command."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import typer

from idolchat_characters.books import BookLibrary, Lorebook, books_of
from idolchat_cli.opening import open_conversations
from idolchat_core import InvalidRequest, Storage

__all__ = ["Book", "OfServer", "User", "find", "open_books", "open_storage"]

Book = Annotated[UUID, typer.Argument(metavar="LOREBOOK", help="Its id.")]
User = Annotated[UUID | None, typer.Option("--user", metavar="ID", help="The user whose lorebooks they are.")]
OfServer = Annotated[bool, typer.Option("--server", help="Those that are scanned in every conversation.")]


@asynccontextmanager
async def open_storage() -> AsyncGenerator[Storage]:
    """Open the storage that the settings choose."""
    async with open_conversations() as opened:
        yield opened.storage


@asynccontextmanager
async def open_books() -> AsyncGenerator[BookLibrary]:
    """Open the lorebooks in the storage that the settings choose."""
    async with open_storage() as storage:
        yield books_of(storage)


async def find(books: BookLibrary, lorebook_id: UUID) -> Lorebook:
    """Read a lorebook. Raises ``InvalidRequest`` where there is none."""
    book = await books.get(lorebook_id)
    if book is None:
        raise InvalidRequest(f"no lorebook {lorebook_id}: `idol lorebooks list` shows those that there are")
    return book
