"""Notes: what a user, or the application for them, wants kept."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from idolchat_api import Caller, CurrentCaller, NotFound, Wants
from idolchat_core import ConversationNotFound, InvalidRequest, new_id, utc_now
from idolchat_memory.notes import MAX_SOURCES, MAX_TEXT, Note, NoteSource, NoteStore, notes_of
from idolchat_memory.routes.characters import character_id_of
from idolchat_memory.service import current_memory

__all__ = ["may_access", "router"]

router = APIRouter(prefix="/memory", tags=["memory"])

UserId = Annotated[UUID | None, Query(description="Whose; a user's token needs none and has its own alone.")]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=r"\S")]


class CitedMessage(BaseModel):
    """A message that a note rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    conversation_id: UUID
    message_id: str = Field(min_length=1, max_length=200)


class NewNote(BaseModel):
    """What is to be kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Text
    pinned: bool = Field(False, description="whether it is in every prompt, as far as there is room")
    character_id: UUID | str | None = Field(None, description="for whom, by id or slug; without, for every character")
    user_id: UUID | None = Field(None, description="whose; a user's token needs none and has its own alone")
    sources: tuple[CitedMessage, ...] = Field(
        (), max_length=MAX_SOURCES, description="messages that it rests on; when they are deleted, it goes with them"
    )


class ChangedNote(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Text | None = None
    pinned: bool | None = None

    @model_validator(mode="after")
    def _check_something(self) -> Self:
        if self.text is None and self.pinned is None:
            raise ValueError("nothing to change: give text, or pinned")
        return self


class NotePage(BaseModel):
    """Notes, the newest first; ``next`` is the ``before`` of the following page, null at the end."""

    model_config = ConfigDict(frozen=True)

    data: tuple[Note, ...]
    has_more: bool
    next: UUID | None


async def may_access(caller: Caller, note_id: str, wants: Wants) -> bool:
    """Whether a caller may read, or change, the note of an id; who acts for any user says for whom in the query."""
    if not caller.principal.is_bound:
        return True
    return await _find(caller, note_id, None) is not None


@router.get("")
async def list_notes(
    caller: CurrentCaller,
    user_id: UserId = None,
    character_id: Annotated[
        UUID | str | None, Query(description="Those that hold with this character: hers, and those for every one.")
    ] = None,
    superseded: Annotated[bool, Query(description="Also those that others stand in place of.")] = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    before: Annotated[UUID | None, Query(description="`next` of the page that you have, for the one after it.")] = None,
) -> NotePage:
    """List what is kept about a user, the newest first, each with where it came from.

    It answers also where memory is switched off.
    """
    user = _user(caller, user_id)
    character = await character_id_of(caller, character_id, user)
    notes = [
        note
        for note in await _store(caller).of_user(user)
        if (superseded or note.is_current)
        and (character is None or note.character_id in (None, str(character)))
        and (before is None or note.id.int < before.int)
    ]
    page = tuple(notes[:limit])
    has_more = len(notes) > limit
    return NotePage(data=page, has_more=has_more, next=page[-1].id if has_more else None)


@router.post("", status_code=201)
async def add_note(given: NewNote, caller: CurrentCaller) -> Note:
    """Keep something about a user, from the next turn on.

    The messages of `sources` are to be of the user's own conversations, and one that is given twice counts once.
    Without any it is the user's or the application's word, and stays until it is deleted.
    """
    user_id = _writable_user(caller, given.user_id)
    sources = dict.fromkeys(given.sources)
    for cited in sources:
        await _check_cited(caller, cited, user_id)
    character_id = await character_id_of(caller, given.character_id, user_id)
    now = utc_now()
    note = Note(
        id=new_id(),
        user_id=user_id,
        character_id=None if character_id is None else str(character_id),
        text=given.text.strip(),
        pinned=given.pinned,
        written_by="user" if caller.principal.is_bound else "app",
        sources=tuple([NoteSource(**cited.model_dump()) for cited in sources]),
        said_at=now,
        created_at=now,
        updated_at=now,
    )
    return await _store(caller).add(note)


@router.get("/{note_id}")
async def get_note(note_id: UUID, caller: CurrentCaller, user_id: UserId = None) -> Note:
    """Read a note."""
    return await _found(caller, note_id, user_id)


@router.patch("/{note_id}")
async def change_note(note_id: UUID, changes: ChangedNote, caller: CurrentCaller, user_id: UserId = None) -> Note:
    """Pin a note or not, or put another text in its place.

    Another text is a new note, which is the reply; the old one stays, `superseded_by` it, and is in no prompt alone.
    """
    note = await _found(caller, note_id, user_id)
    text = None if changes.text is None else changes.text.strip()
    return await _store(caller).rewrite(
        note, text=text, is_pinned=changes.pinned, written_by="user" if caller.principal.is_bound else "app"
    )


@router.delete("/{note_id}", status_code=204, response_model=None)
async def delete_note(note_id: UUID, caller: CurrentCaller, user_id: UserId = None) -> None:
    """Delete a note for good, with the older ones that it stands in place of."""
    await _store(caller).delete(await _found(caller, note_id, user_id))


def _store(caller: Caller) -> NoteStore:
    return notes_of(caller.service.storage)


def _user(caller: Caller, user_id: UUID | None) -> str | None:
    user = caller.acting_for(user_id)
    return None if user is None else str(user)


def _writable_user(caller: Caller, user_id: UUID | None) -> str | None:
    user = _user(caller, user_id)
    if user is None and not current_memory(caller.service.storage).settings.anonymous:
        raise InvalidRequest(
            "user_id: must say whose note it is, as the caller is no user; for a server of one person set"
            " IDOLCHAT_MEMORY_ANONYMOUS=true",
            param="user_id",
        )
    return user


async def _find(caller: Caller, note_id: str | UUID, user_id: UUID | None) -> Note | None:
    try:
        wanted = UUID(str(note_id))
    except ValueError:
        return None
    return await _store(caller).find(_user(caller, user_id), wanted)


async def _found(caller: Caller, note_id: UUID, user_id: UUID | None) -> Note:
    note = await _find(caller, note_id, user_id)
    if note is None:
        raise NotFound(f"no note {note_id}")
    return note


async def _check_cited(caller: Caller, cited: CitedMessage, user_id: str | None) -> None:
    """Raise ``InvalidRequest`` unless there is such a message, in a conversation of this user."""
    try:
        conversation = await caller.service.storage.read(cited.conversation_id)
    except ConversationNotFound:
        conversation = None
    owner = conversation and conversation.user_id
    is_there = conversation is not None and any(
        str(message.id) == cited.message_id and message.deleted_at is None for message in conversation.messages
    )
    if not is_there or (None if owner is None else str(owner)) != user_id:
        raise InvalidRequest(
            f"sources: no message {cited.message_id} in a conversation {cited.conversation_id} of this user",
            param="sources",
        )
