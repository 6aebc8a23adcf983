"""Bodies of requests about branches of a conversation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from idolchat_core.models import StoredId

__all__ = ["ForkPoint", "Head"]


class Head(BaseModel):
    """The last message of the branch to continue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: StoredId


class ForkPoint(BaseModel):
    """The last message of the new conversation; by default that of the active branch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message_id: StoredId | None = None
