"""Routes of lorebooks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from idolchat_api import Caller, CurrentCaller, NotFound, PreconditionFailed, Wants
from idolchat_characters.books.library import BookLibrary, books_of
from idolchat_characters.books.records import SERVER, BookScope, BookSummary, Lorebook
from idolchat_characters.errors import BookVersionConflict
from idolchat_characters.http import IfMatch, attached, etag, expected_version, received
from idolchat_characters.lore import Problem
from idolchat_characters.personas.persona import owner_name
from idolchat_core import InvalidRequest

__all__ = ["BOOKS_PATH", "may_access", "router"]

BOOKS_PATH = "/lorebooks"

router = APIRouter(prefix=BOOKS_PATH, tags=["lorebooks"])


class BookProblem(BaseModel):
    """Something in a book that does not work as its author may expect; `entry` is null where it is the book."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    code: str
    text: str
    entry: str | None


class BookPage(BaseModel):
    """Lorebooks, oldest first."""

    model_config = ConfigDict(frozen=True)

    data: tuple[BookSummary, ...]


class StoredBook(BaseModel):
    """A lorebook that was stored, and what in it does not work as its author may expect."""

    model_config = ConfigDict(frozen=True)

    lorebook: BookSummary
    warnings: tuple[BookProblem, ...]


Owner = Annotated[UUID | None, Query(alias="user_id", description="The user, for a back end that acts for any.")]


async def may_access(caller: Caller, lorebook_id: str, wants: Wants) -> bool:
    """Whether a caller may read, or change, a book: users their own, operators the server's, too."""
    try:
        book = await _books(caller).get(UUID(lorebook_id))
    except ValueError:  # no UUID
        return False
    principal = caller.principal
    if book is None:
        return False
    if book.scope == "server":
        return principal.is_operator
    return not principal.is_bound or book.user_id == principal.user_id


@router.get("")
async def list_books(
    caller: CurrentCaller,
    owner: Owner = None,
    scope: BookScope | None = None,
    conversation_id: UUID | None = None,
) -> BookPage:
    """List a user's lorebooks, those of their conversations too; with `scope=server` the server's, to operators."""
    if scope == "server":
        if not caller.principal.is_operator:
            raise InvalidRequest("scope: the server's lorebooks are for operators", param="scope")
        return BookPage(data=tuple(await _books(caller).list(SERVER)))
    held = await _books(caller).list(owner_name(caller.acting_for(owner)))
    return BookPage(
        data=tuple(
            book for book in held if scope in (None, book.scope) and conversation_id in (None, book.conversation_id)
        )
    )


@router.post("", status_code=201)
async def import_book(
    request: Request,
    caller: CurrentCaller,
    response: Response,
    owner: Owner = None,
    scope: BookScope | None = None,
    conversation_id: UUID | None = None,
    name: Annotated[str | None, Query(max_length=256, description="By default the file's.")] = None,
) -> StoredBook:
    """Store a lorebook, which is the body as it is: a world file of SillyTavern, a V2 or V3 book, or a card with one.

    It is the caller's, and scanned in all their conversations; with `conversation_id` in that one alone; with
    `scope=server`, which operators may ask for, in everybody's.
    """
    place = await _place(caller, owner, scope, conversation_id)
    books = _books(caller)
    content = await received(request, books.settings.max_book_bytes, "IDOLCHAT_CHARACTERS_MAX_BOOK_BYTES")
    book, problems = await books.add(content, name=name, **place)
    response.headers["etag"] = etag(book.version)
    return _stored(book, problems)


@router.get("/{lorebook_id}")
async def get_book(lorebook_id: UUID, caller: CurrentCaller, response: Response) -> Lorebook:
    """Read a lorebook; `book` is its JSON."""
    book = await _found(caller, lorebook_id)
    response.headers["etag"] = etag(book.version)
    return book


@router.get("/{lorebook_id}/export", response_class=Response)
async def export_book(lorebook_id: UUID, caller: CurrentCaller) -> Response:
    """Write a lorebook as a file, in the form that it was imported in."""
    book = await _found(caller, lorebook_id)
    content = json.dumps(book.book, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    headers = {"content-disposition": attached(f"{book.name}.json")}
    return Response(content, media_type="application/json", headers=headers)


@router.patch("/{lorebook_id}")
async def update_book(
    lorebook_id: UUID,
    changes: Annotated[dict[str, Any], Body(description="`name`, `is_enabled`, or `book`, the whole JSON anew.")],
    caller: CurrentCaller,
    response: Response,
    if_match: IfMatch = None,
) -> StoredBook:
    """Change a lorebook; with `If-Match` only where nobody else has changed it since."""
    book = await _found(caller, lorebook_id)
    try:
        changed, problems = await _books(caller).update(book, changes, version=expected_version(if_match))
    except BookVersionConflict as error:
        raise PreconditionFailed(str(error)) from None
    response.headers["etag"] = etag(changed.version)
    return _stored(changed, problems)


@router.delete("/{lorebook_id}", status_code=204, response_model=None)
async def delete_book(lorebook_id: UUID, caller: CurrentCaller) -> None:
    """Delete a lorebook."""
    await _books(caller).delete(await _found(caller, lorebook_id))


async def _place(
    caller: Caller, owner: UUID | None, scope: BookScope | None, conversation_id: UUID | None
) -> dict[str, Any]:
    """Return whose a new book is, and where it is scanned. Raises ``InvalidRequest``, ``ConversationNotFound``."""
    if scope == "server":
        if not caller.principal.is_operator:
            raise InvalidRequest("scope: only an operator adds lorebooks of the server", param="scope")
        return {"scope": scope}
    if (scope == "conversation") != (conversation_id is not None) and scope is not None:
        raise InvalidRequest("conversation_id: goes with the scope conversation, and with no other", param="scope")
    if conversation_id is None:
        return {"scope": "user", "user_id": caller.acting_for(owner)}
    user_id = (await caller.read_page(conversation_id, limit=1)).conversation.user_id
    whose = user_id if isinstance(user_id, UUID) else None
    return {"scope": "conversation", "user_id": whose, "conversation_id": conversation_id}


def _books(caller: Caller) -> BookLibrary:
    return books_of(caller.service.storage)


async def _found(caller: Caller, lorebook_id: UUID) -> Lorebook:
    book = await _books(caller).get(lorebook_id)
    if book is None:  # deleted since it was looked for
        raise NotFound(f"no lorebook {lorebook_id}")
    return book


def _stored(book: Lorebook, problems: Sequence[Problem]) -> StoredBook:
    line = BookSummary.model_validate(book.model_dump(exclude={"book"}))
    return StoredBook(lorebook=line, warnings=tuple(BookProblem.model_validate(problem) for problem in problems))
