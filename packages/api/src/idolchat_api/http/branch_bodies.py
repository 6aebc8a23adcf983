"""What requests about a conversation's branches say."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from idolchat_core.models import StoredId

__all__ = ["ForkPoint", "Head"]


class Head(BaseModel):
    """The last message of the branch to go on with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: StoredId


class ForkPoint(BaseModel):
    """The message that the new conversation ends with; by default the last of the active branch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message_id: StoredId | None = None
