"""Searching what is remembered."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from idolchat_api import CurrentCaller
from idolchat_core import MemoryScope, utc_now
from idolchat_memory.recall import RecallQuery
from idolchat_memory.results import MemorySearchResult
from idolchat_memory.routes.characters import character_id_of
from idolchat_memory.searching import scopes_for, search
from idolchat_memory.service import current_memory

__all__ = ["router"]

router = APIRouter(prefix="/memory", tags=["memory"])


class MemorySearch(BaseModel):
    """A question to what was said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1, max_length=4000, description="as one would ask the character")
    context: str = Field("", max_length=4000, description="what was said just before")
    user_id: UUID | None = Field(None, description="whose memory; a user's token needs none and has its own alone")
    character_id: UUID | str | None = Field(
        None, description="with whom, by id or slug; without, what was said to none"
    )
    now: AwareDatetime | None = Field(None, description='when it is asked, for words like "yesterday"; by default now')
    limit: int = Field(10, ge=1, le=50)
    everything: bool = Field(False, description="also what is too far from the question to be recalled in a prompt")


@router.post("/search")
async def search_memory(asked: MemorySearch, caller: CurrentCaller) -> MemorySearchResult:
    """Find what was said that answers a question, as a turn does, with the score of each and what matched.

    It answers also where a user has switched recalling off.
    """
    memory = current_memory(caller.service.storage)
    user_id = caller.acting_for(asked.user_id)
    character_id = await character_id_of(caller, asked.character_id, user_id)
    scope = MemoryScope.model_validate({"user_id": user_id, "character_id": character_id})
    query = RecallQuery(asked.text, now=asked.now or utc_now(), context=asked.context, limit=asked.limit)
    if asked.everything:
        query = query._replace(floor=None)
    if memory.model is not None:
        await memory.model.load()
    scopes = await scopes_for(memory, scope, await memory.choices.of(scope.user_id))
    return MemorySearchResult.of(await search(memory, scopes, query, asking=scope))
