"""What a user chooses about being remembered."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from idolchat_api import Caller, CurrentCaller
from idolchat_core import InvalidRequest
from idolchat_memory.choices import MemoryChoice
from idolchat_memory.service import current_memory

__all__ = ["router"]

router = APIRouter(prefix="/memory/choices", tags=["memory"])

UserId = Annotated[UUID | None, Query(description="Whose; a user's token needs none and has its own alone.")]


class ChangedChoice(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall: bool | None = Field(None, description="whether anything is recalled in prompts")
    cross_character: bool | None = Field(None, description="whether a character recalls what was said to the others")


@router.get("")
async def get_choice(caller: CurrentCaller, user_id: UserId = None) -> MemoryChoice:
    """Read what a user has chosen."""
    return await current_memory(caller.service.storage).choices.read(_user(caller, user_id))


@router.patch("")
async def change_choice(changes: ChangedChoice, caller: CurrentCaller, user_id: UserId = None) -> MemoryChoice:
    """Choose: from the next turn on it holds. What is remembered can be searched and deleted in any case."""
    choices, user = current_memory(caller.service.storage).choices, _user(caller, user_id)
    return await choices.change(user, **changes.model_dump(exclude_none=True))


def _user(caller: Caller, user_id: UUID | None) -> str:
    user = caller.acting_for(user_id)
    if user is None:
        raise InvalidRequest(
            "user_id: must say whose choice it is, as the caller is no user; what has no user is switched off by"
            " IDOLCHAT_MEMORY=off",
            param="user_id",
        )
    return str(user)
