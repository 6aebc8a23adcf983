"""What went into a prompt and what was left out, for whoever asks why a reply is as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core.models import StoredId, UtcTime
from idolchat_core.prompt.budget import Decision

__all__ = ["ExplainedPart", "PromptExplanation"]


class ExplainedPart(BaseModel):
    """A part that a source gave, without its text."""

    model_config = ConfigDict(frozen=True)

    source: str = Field(description="who gave it: `core`, `request`, or a plugin's source")
    key: str = Field(description="its name in that source: an entry of a book, a message id")
    slot: str = Field(description="where it stands, in the order of the prompt")
    role: str
    stability: str = Field(description="`conversation`, `cut` or `turn`: how long it stays as it is")
    tokens: int = Field(description="as estimated")
    included: bool
    reason: str | None = Field(None, description="why it was left out, or moved")
    why: Mapping[str, Any] = Field({}, description="what brought it here, as its source says")

    @classmethod
    def of(cls, decision: Decision) -> ExplainedPart:
        """Describe what was decided of a part."""
        part = decision.part
        return cls(
            source=part.source,
            key=part.key,
            slot=part.slot,
            role=part.role,
            stability=part.stability,
            tokens=decision.tokens,
            included=decision.is_in,
            reason=decision.reason,
            why=part.why,
        )


class PromptExplanation(BaseModel):
    """The prompt of one turn. It holds no text of anybody's.

    ``shared_tokens`` of ``tokens`` equal the beginning of the prompt before, which a provider's cache need not read
    again; null where the prompt before is not known.
    """

    model_config = ConfigDict(frozen=True)

    turn_id: UUID
    conversation_id: UUID
    user_id: StoredId | None = None
    made_at: UtcTime
    model: str | None = None
    window_tokens: int = Field(description="what the model can read, prompt and reply together")
    tokens: int = Field(description="of the whole prompt, as estimated")
    shared_tokens: int | None = None
    parts: tuple[ExplainedPart, ...]
    history_messages: int = Field(description="messages of the conversation in the prompt")
    left_out_messages: int = Field(description="older messages of the document that are not")
    failures: Mapping[str, str] = Field({}, description="sources whose parts are missing, each with why")
