"""Bodies of requests about branches of a conversation."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from idolchat_api.auth.caller import Reference
from idolchat_core.characters.cast import MAX_CHARACTERS, NextSpeaker
from idolchat_core.content_parts import MessageContent
from idolchat_core.models import StoredId

__all__ = ["Changes", "ForkPoint", "NewContent"]


class Changes(BaseModel):
    """What is to change of a conversation: the last message of the branch to continue, who takes part, who answers.

    ``character_ids`` are ids or slugs of all who are to take part, at least two, of whom the first stays.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: StoredId | None = None
    next_speaker: NextSpeaker | None = None
    character_ids: Annotated[tuple[Reference, ...], Field(min_length=2, max_length=MAX_CHARACTERS)] | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.head is None and self.next_speaker is None and self.character_ids is None:
            raise ValueError("must name a head, a next_speaker or character_ids")
        return self


class NewContent(BaseModel):
    """What a message is to say: text, or OpenAI content parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: Annotated[MessageContent, Field(min_length=1)]


class ForkPoint(BaseModel):
    """The last message of the new conversation; by default that of the active branch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message_id: StoredId | None = None
