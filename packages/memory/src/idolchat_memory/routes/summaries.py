"""The summaries of a conversation: read and deleted, whether they are made or not."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from idolchat_api import CurrentCaller
from idolchat_memory.summaries import Summary, summaries_of

__all__ = ["router"]

router = APIRouter(tags=["memory"])


class SummaryList(BaseModel):
    """Summaries, the oldest first."""

    model_config = ConfigDict(frozen=True)

    data: tuple[Summary, ...]


@router.get("/conversation/{conversation_id}/summaries")
async def list_summaries(conversation_id: UUID, caller: CurrentCaller) -> SummaryList:
    """List what stands for messages that no longer fit the context window, with which messages those are.

    `GET /conversation/{conversation_id}/window` tells which of them is in the next prompt, if any is.
    """
    await caller.check_conversation(conversation_id)
    return SummaryList(data=tuple(await summaries_of(caller.service.storage).all_of(conversation_id)))


@router.delete("/conversation/{conversation_id}/summaries", status_code=204, response_model=None)
async def delete_summaries(conversation_id: UUID, caller: CurrentCaller) -> None:
    """Delete the summaries of a conversation; where they are wanted, others are made when they are due."""
    await caller.check_conversation(conversation_id)
    await summaries_of(caller.service.storage).delete(conversation_id)
