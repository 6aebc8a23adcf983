"""What went into a prompt and what was left out, for whoever asks why a reply is as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from idolchat_core.models import StoredId, UtcTime
from idolchat_core.prompt.budget import Decision

__all__ = ["BuiltPrompt", "ExplainedPart", "PromptExplanation"]


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


class _Decided(NamedTuple):
    """What was decided of a part, in the order of the fields of ``ExplainedPart``."""

    source: str
    key: str
    slot: str
    role: str
    stability: str
    tokens: int
    included: bool
    reason: str | None
    why: Mapping[str, Any]

    @classmethod
    def of(cls, decision: Decision) -> Self:
        part, tokens, is_in, reason = decision
        return cls(part.source, part.key, part.slot, part.role, part.stability, tokens, is_in, reason, part.why)

    def described(self) -> dict[str, Any]:
        told = self._asdict()
        if self.reason is None:
            del told["reason"]
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPrompt:
    """What a prompt is explained by, for whoever asks, which few do. The fields are those of ``PromptExplanation``."""

    turn_id: UUID
    conversation_id: UUID
    user_id: StoredId | None
    made_at: datetime
    model: str | None
    window_tokens: int
    tokens: int
    shared_tokens: int | None
    parts: tuple[_Decided, ...]
    history_messages: int
    left_out_messages: int
    failures: Mapping[str, str]

    @staticmethod
    def decided(decisions: Iterable[Decision]) -> tuple[_Decided, ...]:
        """Return what is to be told of the parts, without their texts."""
        return tuple([_Decided.of(decision) for decision in decisions])

    def explanation(self) -> PromptExplanation:
        """Explain it."""
        return PromptExplanation.model_validate(self._described())

    def to_json(self) -> bytes:
        """Write its explanation as JSON on one line."""
        return to_json({name: value for name, value in self._described().items() if value is not None})

    def _described(self) -> dict[str, Any]:
        told: dict[str, Any] = {name: getattr(self, name) for name in PromptExplanation.model_fields}
        return told | {"parts": [part.described() for part in self.parts]}
