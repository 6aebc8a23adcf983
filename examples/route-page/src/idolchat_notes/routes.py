"""Routes of notes, which are records of the storage."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from idolchat_api import Caller, CurrentCaller, Wants
from idolchat_core import new_id

router = APIRouter(prefix="/notes", tags=["notes"])


class Note(BaseModel):
    text: str
    id: UUID | None = None
    user_id: UUID | None = None


async def find(caller: Caller, note_id: str) -> Note | None:
    try:
        found = await caller.service.storage.get_record("notes", str(UUID(note_id)))
    except ValueError:  # not a UUID
        return None
    return Note.model_validate_json(found) if found else None


async def may_access(caller: Caller, note_id: str, wants: Wants) -> bool:
    note = await find(caller, note_id)
    return note is not None and (not caller.principal.is_bound or note.user_id == caller.principal.user_id)


@router.post("", status_code=201)
async def add_note(note: Note, caller: CurrentCaller) -> Note:
    note = Note(text=note.text, id=new_id(), user_id=caller.principal.user_id)
    await caller.service.storage.put_record("notes", str(note.id), note.model_dump_json().encode())
    return note


@router.get("/{note_id}")
async def get_note(note_id: UUID, caller: CurrentCaller) -> Note | None:
    return await find(caller, str(note_id))


@router.delete("/{note_id}", status_code=204)
async def delete_note(note_id: UUID, caller: CurrentCaller) -> None:
    await caller.service.storage.delete_record("notes", str(note_id))
