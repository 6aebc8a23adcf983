"""A summary: what stands in prompts for messages that no longer fit."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

__all__ = ["Summary"]


class Summary(BaseModel):
    """What was said on one branch of a conversation, from its first message to ``last_message_id``."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    conversation_id: UUID
    user_id: str | None = None
    first_message_id: str
    last_message_id: str
    next_message_id: str = Field(description="the message that follows on that branch")
    messages: int = Field(description="how many messages it stands for")
    text: str
    model: str | None = Field(description="which model was asked; null for the provider's default")
    inputs_hash: str = Field(description="SHA-256 over the ids and texts of those messages, one after the other")
    rests_on: UUID | None = Field(None, description="the summary that its beginning was taken from")
    made_at: AwareDatetime
