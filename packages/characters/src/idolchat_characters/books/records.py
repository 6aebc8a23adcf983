"""A lorebook as it is kept: its content in one record, and a line in the list of whoever has it."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

from idolchat_characters.character import JsonObject

__all__ = ["SERVER", "BookList", "BookScope", "BookSummary", "Lorebook"]

type BookScope = Literal["user", "conversation", "server"]
"""Where a book is scanned: in all conversations of its user, in one, or in everybody's."""

SERVER: Final = "server"
"""The name of the list of the server's books; the others have that of their user."""


def _named(name: str) -> str:
    plain = " ".join(name.split())
    if not plain:
        raise ValueError("must not be empty: write the book's name")
    return plain


class BookSummary(BaseModel):
    """One line of a list of lorebooks.

    ``version`` begins with 1 and grows by 1 with each change. ``user_id`` is whose book it is; null for the server's,
    and for those of conversations without a user. ``size_bytes`` is that of its JSON.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    version: int
    name: Annotated[str, StringConstraints(max_length=256), AfterValidator(_named)]
    scope: BookScope
    user_id: UUID | None = None
    conversation_id: UUID | None = None
    is_enabled: bool = True
    entry_count: int
    size_bytes: int
    created_at: AwareDatetime
    updated_at: AwareDatetime


class Lorebook(BookSummary):
    """A lorebook; ``book`` is its JSON as it was imported, in any of the forms that are read."""

    book: JsonObject


class BookList(BaseModel):
    """The lorebooks of a user, those of their conversations among them, or of the server, oldest first."""

    model_config = ConfigDict(frozen=True)

    user_id: UUID | None = None
    books: tuple[BookSummary, ...] = ()
