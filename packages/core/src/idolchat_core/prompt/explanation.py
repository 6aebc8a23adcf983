"""What went into a prompt and what was left out, for whoever asks why a reply is as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import from_json, to_json

from idolchat_core.events.json_values import MAX_DEPTH, plain_json
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

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: object) -> object:
        """Name the fields of one that was written as an array."""
        if not isinstance(given, list | tuple):
            return given
        return dict(zip(cls.model_fields, given, strict=True))


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


class BuiltPrompt(NamedTuple):
    """What a prompt is explained by, for whoever asks, which few do. The fields are those of ``PromptExplanation``."""

    turn_id: UUID
    conversation_id: UUID
    user_id: StoredId | None
    made_at: datetime
    model: str | None
    window_tokens: int
    tokens: int
    shared_tokens: int | None
    parts: Sequence[tuple[object, ...]]
    history_messages: int
    left_out_messages: int
    failures: Mapping[str, str]

    @staticmethod
    def decided(decisions: Iterable[Decision]) -> Sequence[tuple[object, ...]]:
        """Return what is to be told of the parts, without their texts, in the order of ``ExplainedPart``'s fields."""
        return [
            (part.source, part.key, part.slot.value, part.role, part.stability, tokens, is_in, reason, part.why)
            for part, tokens, is_in, reason in decisions
        ]

    def explanation(self) -> PromptExplanation:
        """Explain it."""
        return PromptExplanation.model_validate_json(self.to_json())

    def to_json(self) -> bytes:
        """Write its explanation as JSON on one line, of each part an array, of its ``why`` what JSON can hold."""
        with suppress(ValueError):  # what a source said is no JSON, or is nested too deep to be read again
            text = _written(self)
            if text.count(b"[") + text.count(b"{") > MAX_DEPTH:
                from_json(text)
            return text
        return _written(self._replace(parts=[(*part[:-1], _plain(part[-1])) for part in self.parts]))


def _written(prompt: BuiltPrompt) -> bytes:
    return to_json(prompt._asdict(), inf_nan_mode="null")


def _plain(why: object) -> object:
    plain = plain_json(dict(why)) if isinstance(why, Mapping) else {}
    return plain if isinstance(plain, dict) else {}
