"""A summary: what stands in prompts for messages that no longer fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from idolchat_core import Conversation, Page
from idolchat_memory.feed.memories import Numbered, branch_end, memory_text

__all__ = ["Covered", "Summary", "branch_upto", "covered_by", "inputs_hash"]


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
    inputs_hash: str = Field(description="SHA-256 of the ids and texts of those messages")
    rests_on: UUID | None = Field(None, description="the summary that its beginning was taken from")
    made_at: AwareDatetime


class Covered(NamedTuple):
    """The messages before one, on its branch, and that one's id."""

    branch: Sequence[Numbered]
    next_message_id: str

    @property
    def digest(self) -> str:
        """The hash that a summary of all of them has."""
        return inputs_hash(self.branch)

    def place_after(self, message_id: str) -> int | None:
        """Return how many messages stand up to one; None where it is not among them."""
        for place, one in enumerate(self.branch):
            if str(one.message.id) == message_id:
                return place + 1
        return None


def inputs_hash(branch: Iterable[Numbered]) -> str:
    """Return a hash of the ids and texts of messages, which changes when one of them is edited or deleted."""
    digest = sha256()
    for _, message in branch:
        digest.update(to_json([str(message.id), message.role, memory_text(message)]) + b"\n")
    return digest.hexdigest()


def branch_upto(conversation: Conversation, message_id: str) -> Covered | None:
    """Return what stands before a message on its branch; None where it is not in the conversation, or the first."""
    page = Page(conversation=conversation, start=0, total=len(conversation.messages), revision="")
    branch = branch_end(page, message_id)
    return Covered(branch[:-1], message_id) if branch and len(branch) > 1 else None


def covered_by(conversation: Conversation, summary: Summary) -> bool:
    """Whether a summary's messages are what they were when it was made."""
    page = Page(conversation=conversation, start=0, total=len(conversation.messages), revision="")
    branch = branch_end(page, summary.last_message_id)
    return branch is not None and len(branch) == summary.messages and inputs_hash(branch) == summary.inputs_hash
