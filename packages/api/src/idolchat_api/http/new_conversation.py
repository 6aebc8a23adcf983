"""The body of a request that begins a conversation."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

__all__ = ["NewConversation"]

Slug = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class NewConversation(BaseModel):
    """Who is to talk with whom.

    ``character_id`` is a character's id or slug, ``persona_id`` whom the user plays. ``id`` is for clients that make
    ids themselves. Without ``greeting`` the conversation begins empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    character_id: Annotated[UUID | Slug | None, Field(union_mode="left_to_right")] = None
    user_id: UUID | None = None
    persona_id: UUID | None = None
    id: UUID | None = None
    greeting: bool = True

    @field_validator("greeting", mode="before")
    @classmethod
    def _null_is_true(cls, value: object) -> object:
        return True if value is None else value
