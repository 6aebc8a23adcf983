"""The body of a request that begins a conversation."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from idolchat_api.auth.caller import Reference
from idolchat_core.characters.cast import MAX_CHARACTERS, NextSpeaker

__all__ = ["NewConversation"]


class NewConversation(BaseModel):
    """Who is to talk with whom.

    ``character_id`` is a character's id or slug, and ``character_ids`` are those of several, of whom the first greets
    and ``next_speaker`` says who answers. ``persona_id`` is whom the user plays. ``id`` is for clients that make ids
    themselves. Without ``greeting`` the conversation begins empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    character_id: Reference | None = None
    character_ids: Annotated[tuple[Reference, ...], Field(min_length=2, max_length=MAX_CHARACTERS)] | None = None
    next_speaker: NextSpeaker | None = None
    user_id: UUID | None = None
    persona_id: UUID | None = None
    id: UUID | None = None
    greeting: bool = True

    @field_validator("greeting", mode="before")
    @classmethod
    def _null_is_true(cls, value: object) -> object:
        return True if value is None else value

    @model_validator(mode="after")
    def _names_them_once(self) -> Self:
        if self.character_ids is not None and self.character_id is not None:
            raise ValueError("character_ids must stand alone: the first of them is the character_id")
        if self.character_ids is None and self.next_speaker is not None:
            raise ValueError("next_speaker needs character_ids: with one character there is nobody to choose")
        return self

    @property
    def characters(self) -> tuple[UUID | str, ...]:
        """All of them, the first first."""
        return self.character_ids or (() if self.character_id is None else (self.character_id,))
