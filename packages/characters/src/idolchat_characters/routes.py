"""Routes of characters."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from idolchat_api import Caller, CurrentCaller, NotFound, PreconditionFailed, Wants
from idolchat_characters.books import books_of
from idolchat_characters.cards import CardFormat
from idolchat_characters.errors import VersionConflict
from idolchat_characters.http import IfMatch, attached, etag, expected_version, received
from idolchat_characters.library import CharacterLibrary, CharacterPage, CharacterRecord, Viewer, library_of
from idolchat_characters.problems import Problem
from idolchat_characters.prompt.lore_explanation import LoreExplanation, LoreQuestion, explain_lore
from idolchat_characters.scanning import compiled_of
from idolchat_characters.window_fit import FitCheck, fits_provider
from idolchat_core import InvalidRequest

__all__ = ["IMPORT_PATH", "any_file", "may_access", "may_use", "router", "use_router"]

IMPORT_PATH = "/characters/import"
MEDIA_TYPES: dict[str, str] = {
    "json": "application/json",
    "png": "image/png",
    "charx": "application/zip",
    "webp": "image/webp",
}

router = APIRouter(prefix="/characters", tags=["characters"])
use_router = APIRouter(prefix="/characters", tags=["characters"])
"""Routes that ask something of a character, and change nothing of her."""


class LoreText(BaseModel):
    """What to explain: the reply to the newest message of a conversation, or to a text, said in one or alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, StringConstraints(max_length=65_536)] | None = None
    conversation_id: UUID | None = None
    window_tokens: Annotated[int, Field(ge=512, le=10_000_000, description="What the model reads.")] | None = None


class ImportedCharacter(BaseModel):
    """A character that was imported, and what was read otherwise than the card's author may expect."""

    model_config = ConfigDict(frozen=True)

    character: CharacterRecord
    warnings: tuple[Problem, ...]


async def may_access(caller: Caller, character_id: str, wants: Wants) -> bool:
    """Whether a caller may read, or change, the character of an id or slug."""
    viewer = _viewer(caller)
    record = await _library(caller).find(character_id, viewer)
    if record is None:
        return False
    return wants is Wants.READ or viewer.may_change(record.character)


async def may_use(caller: Caller, character_id: str, wants: Wants) -> bool:
    """Whether a caller may use the character of an id or slug, whatever the method."""
    return await may_access(caller, character_id, Wants.READ)


async def any_file(caller: Caller, file_name: str, wants: Wants) -> bool:
    """Allow every file here: the route checks the character that it belongs to."""
    return True


@router.get("")
async def list_characters(
    caller: CurrentCaller,
    tag: Annotated[str | None, Query(max_length=256, description="A tag, in any case.")] = None,
    text: Annotated[str | None, Query(max_length=256, description="Words of the name, creator or tags.")] = None,
    owner_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[UUID | None, Query(description="`next` of the page that you have, for the one after it.")] = None,
) -> CharacterPage:
    """List the characters that the caller may use, the newest first."""
    return await _library(caller).list(
        _viewer(caller), tag=tag, text=text, owner_id=owner_id, limit=limit, before=before
    )


@router.post("", status_code=201)
async def create_character(
    fields: Annotated[dict[str, Any], Body(description="The fields of a character; `name` is needed.")],
    caller: CurrentCaller,
    response: Response,
) -> CharacterRecord:
    """Create a character; a user's is private."""
    record = await _library(caller).create_from(fields, _viewer(caller), fits=_fits(caller))
    await _prepare(caller, record)
    response.headers["etag"] = etag(record.version)
    return record


@router.post("/import", status_code=201)
async def import_character(
    request: Request,
    caller: CurrentCaller,
    response: Response,
    slug: str | None = None,
    visibility: str | None = None,
    owner_id: UUID | None = None,
) -> ImportedCharacter:
    """Create a character from a card, which is the body as it is: JSON, PNG, APNG, CHARX or WebP."""
    library = _library(caller)
    content = await received(request, library.settings.max_import_bytes, "IDOLCHAT_CHARACTERS_MAX_IMPORT_BYTES")
    given = {"slug": slug, "visibility": visibility, "owner_id": owner_id}
    fields = {name: value for name, value in given.items() if value is not None}
    record, reading = await library.import_card(content, _viewer(caller), fields=fields, fits=_fits(caller))
    await _prepare(caller, record)
    response.headers["etag"] = etag(record.version)
    return ImportedCharacter(character=record, warnings=reading.warnings)


@router.get("/{character_id}")
async def get_character(character_id: str, caller: CurrentCaller, response: Response) -> CharacterRecord:
    """Read a character by its id or slug."""
    record = await _found(caller, character_id)
    response.headers["etag"] = etag(record.version)
    return record


@router.patch("/{character_id}")
async def update_character(
    character_id: str,
    changes: Annotated[dict[str, Any], Body(description="The fields to change, with their new values.")],
    caller: CurrentCaller,
    response: Response,
    if_match: IfMatch = None,
) -> CharacterRecord:
    """Change fields of a character; with `If-Match` only where nobody else has changed it since."""
    record = await _found(caller, character_id)
    try:
        changed = await _library(caller).update(
            record, changes, _viewer(caller), version=expected_version(if_match), fits=_fits(caller)
        )
    except VersionConflict as error:
        raise PreconditionFailed(str(error)) from None
    await _prepare(caller, changed)
    response.headers["etag"] = etag(changed.version)
    return changed


@router.delete("/{character_id}", status_code=204, response_model=None)
async def delete_character(character_id: str, caller: CurrentCaller, if_match: IfMatch = None) -> None:
    """Delete a character for good; the conversations with it stay."""
    record = await _found(caller, character_id)
    try:
        await _library(caller).delete(record, version=expected_version(if_match))
    except VersionConflict as error:
        raise PreconditionFailed(str(error)) from None


@use_router.post("/{character_id}/lore/explain")
async def explain_lorebooks(character_id: str, asked: LoreText, caller: CurrentCaller) -> LoreExplanation:
    """Explain which entries of lorebooks enter the prompt: by which key, where, at what cost; and why others do not.

    The character's, the user's, the conversation's and the server's books are scanned as a turn does; of the server's,
    operators alone are told.
    """
    if asked.text is None and asked.conversation_id is None:
        raise InvalidRequest("text or conversation_id is needed: what to explain the lore of", param="text")
    conversation = None
    if asked.conversation_id is not None:
        await caller.read_page(asked.conversation_id, limit=1)
        conversation = await caller.service.storage.read(asked.conversation_id)
    question = LoreQuestion(
        text=asked.text,
        conversation=conversation,
        user_id=caller.principal.user_id,
        window_tokens=asked.window_tokens or caller.service.settings.context_length,
        shows_server=caller.principal.is_operator,
    )
    return await explain_lore(caller.service.storage, await _found(caller, character_id), question)


@use_router.post("/{character_id}/duplicate", status_code=201)
async def duplicate_character(
    character_id: str,
    caller: CurrentCaller,
    response: Response,
    fields: Annotated[dict[str, Any] | None, Body(description="Fields that the copy has another value of.")] = None,
) -> CharacterRecord:
    """Copy a character, card and files included; what a user copies is private and theirs."""
    copy = await _library(caller).duplicate(await _found(caller, character_id), _viewer(caller), fields=fields)
    response.headers["etag"] = etag(copy.version)
    return copy


@router.get("/{character_id}/export", response_class=Response)
async def export_character(
    character_id: str,
    caller: CurrentCaller,
    card_format: Annotated[CardFormat | None, Query(alias="format", description="By default the original's.")] = None,
) -> Response:
    """Write a character as a card: the original byte for byte where it was not edited, else V3."""
    record = await _found(caller, character_id)
    content, chosen = await _library(caller).export(record, card_format)
    file_name = f"{record.character.slug or record.id}.{chosen}"
    return Response(content, media_type=MEDIA_TYPES[chosen], headers={"content-disposition": attached(file_name)})


@router.get("/{character_id}/files/{file_name}", response_class=Response)
async def get_file(character_id: str, file_name: str, caller: CurrentCaller) -> Response:
    """Read a file of a character: pictures as they are, anything else to be downloaded."""
    record = await _found(caller, character_id)
    found = await _library(caller).asset(record, file_name)
    if found is None:
        raise NotFound(f"character {character_id} has no file {file_name!r}")
    asset, content = found
    headers = {} if asset.media_type else {"content-disposition": attached(asset.file_name)}
    return Response(content, media_type=asset.media_type or "application/octet-stream", headers=headers)


def _library(caller: Caller) -> CharacterLibrary:
    return library_of(caller.service.storage)


def _viewer(caller: Caller) -> Viewer:
    principal = caller.principal
    return Viewer(user_id=principal.user_id, is_bound=principal.is_bound, is_operator=principal.is_operator)


def _fits(caller: Caller) -> FitCheck:
    return fits_provider(caller.service.llm, caller.service.settings)


async def _found(caller: Caller, character_id: str) -> CharacterRecord:
    record = await _library(caller).find(character_id, _viewer(caller))
    if record is None:  # deleted since it was looked for
        raise NotFound(f"no character {character_id}")
    return record


async def _prepare(caller: Caller, record: CharacterRecord) -> None:
    """Compile, in the background, the lorebooks that the caller's first turn with a character needs."""
    storage = caller.service.storage
    compiled_of(storage).prepare(record, await books_of(storage).active(caller.principal.user_id, None))
