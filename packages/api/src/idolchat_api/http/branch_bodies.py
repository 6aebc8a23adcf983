"""Bodies of requests about branches of a conversation."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core.models import StoredId

__all__ = ["ForkPoint", "Head", "NewContent"]


class Head(BaseModel):
    """The last message of the branch to continue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: StoredId


class NewContent(BaseModel):
    """What a message is to say: text, or OpenAI content parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: Annotated[str | list[dict[str, Any]], Field(min_length=1)]


class ForkPoint(BaseModel):
    """The last message of the new conversation; by default that of the active branch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message_id: StoredId | None = None
