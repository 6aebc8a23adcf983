"""Routes of personas."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict

from idolchat_api import Caller, CurrentCaller, NotFound, Wants
from idolchat_characters.personas.library import PersonaLibrary, personas_of
from idolchat_characters.personas.persona import Persona, UserPersonas
from idolchat_core import InvalidRequest

__all__ = ["may_access", "router"]

router = APIRouter(tags=["personas"])


class DefaultPersona(BaseModel):
    """Which persona is played where a conversation names none; null: the user is called ``User``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_id: UUID | None


class PlayedPersona(BaseModel):
    """Which persona the user plays in a conversation; null: the default one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    persona_id: UUID | None


Fields = Annotated[dict[str, Any], Body(description="`name` and `description`.")]
Owner = Annotated[UUID | None, Query(alias="user_id", description="The user, for a back end that acts for any.")]


async def may_access(caller: Caller, persona_id: str, wants: Wants) -> bool:
    """Whether a persona is the caller's; a back end names the user in the query."""
    if not caller.principal.is_bound:
        return True
    try:
        return await _personas(caller).get(caller.principal.user_id, UUID(persona_id)) is not None
    except ValueError:  # no UUID
        return False


@router.get("/personas")
async def list_personas(caller: CurrentCaller, owner: Owner = None) -> UserPersonas:
    """List a user's personas, oldest first, and which one is the default."""
    return await _personas(caller).of(caller.acting_for(owner))


@router.post("/personas", status_code=201)
async def create_persona(
    fields: Fields,
    caller: CurrentCaller,
    owner: Owner = None,
    is_default: Annotated[bool, Query(alias="default", description="Whether it becomes the default.")] = False,
) -> Persona:
    """Create a persona; a user's first is the default."""
    return await _personas(caller).add(caller.acting_for(owner), fields, is_default=is_default)


@router.put("/personas")
async def choose_default(chosen: DefaultPersona, caller: CurrentCaller, owner: Owner = None) -> UserPersonas:
    """Choose the persona of the conversations that name none."""
    return await _personas(caller).choose_default(caller.acting_for(owner), chosen.default_id)


@router.get("/personas/{persona_id}")
async def get_persona(persona_id: UUID, caller: CurrentCaller, owner: Owner = None) -> Persona:
    """Read a persona."""
    return _known(await _personas(caller).get(caller.acting_for(owner), persona_id), persona_id)


@router.patch("/personas/{persona_id}")
async def update_persona(persona_id: UUID, fields: Fields, caller: CurrentCaller, owner: Owner = None) -> Persona:
    """Change the name or the description; what was said stays as it is."""
    return _known(await _personas(caller).update(caller.acting_for(owner), persona_id, fields), persona_id)


@router.delete("/personas/{persona_id}", status_code=204, response_model=None)
async def delete_persona(persona_id: UUID, caller: CurrentCaller, owner: Owner = None) -> None:
    """Delete a persona; the conversations that it was played in go on with the default one."""
    user_id = caller.acting_for(owner)
    _known(await _personas(caller).get(user_id, persona_id), persona_id)
    await _personas(caller).delete(user_id, persona_id)


@router.get("/conversation/{conversation_id}/persona")
async def get_played(conversation_id: UUID, caller: CurrentCaller) -> Persona | None:
    """Read whom the user plays in a conversation; null where they have no persona."""
    conversation = (await caller.read_page(conversation_id, limit=1)).conversation
    return await _personas(caller).played(conversation.user_id, conversation.persona_id)


@router.put("/conversation/{conversation_id}/persona")
async def choose_played(conversation_id: UUID, chosen: PlayedPersona, caller: CurrentCaller) -> Persona | None:
    """Choose whom the user plays in a conversation from its next turn on; what was said stays as it is."""
    page = await caller.read_page(conversation_id, limit=1)
    user_id = page.conversation.user_id
    if chosen.persona_id is not None and not await _personas(caller).has(user_id, chosen.persona_id):
        raise InvalidRequest(f"persona_id: this user has no persona {chosen.persona_id}", param="persona_id")
    fields = {"persona_id": str(chosen.persona_id) if chosen.persona_id else None}
    await caller.service.storage.update(
        conversation_id, fields, expected_count=page.total, expected_revision=page.revision
    )
    return await _personas(caller).played(user_id, chosen.persona_id)


def _personas(caller: Caller) -> PersonaLibrary:
    return personas_of(caller.service.storage)


def _known(persona: Persona | None, persona_id: UUID) -> Persona:
    if persona is None:
        raise NotFound(f"no persona {persona_id}")
    return persona
