"""The body of ``POST /v1/chat/completions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

__all__ = ["ChatRequest", "turn_options"]

MAX_MESSAGES = 10_000
_NOT_FOR_PROVIDERS = frozenset(
    {"conversation_id", "messages", "model", "prompt_cache_key", "prompt_cache_retention", "store", "stream_options"}
    | {"metadata", "safety_identifier", "user"}
)
"""What names people and conversations, and how the reply is told: that is between the client and us."""
_DEFAULTS: Mapping[str, Any] = {"service_tier": ("auto", "default"), "modalities": (["text"],), "n": (1,)}
"""What clients write out although it is the default, and a provider need not know."""


class StreamOptions(BaseModel):
    """How a stream is told."""

    model_config = ConfigDict(frozen=True, extra="allow")

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A request in OpenAI's form. ``messages`` are looked at one by one, and only the new ones closely."""

    model_config = ConfigDict(frozen=True, extra="allow")

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    messages: Annotated[list[Any], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    on_disconnect: Literal["cancel", "continue"] = "cancel"

    @field_validator("stream", "on_disconnect", mode="before")
    @classmethod
    def _null_is_absent(cls, value: object, info: Any) -> object:
        return cls.model_fields[info.field_name].default if value is None else value

    @property
    def includes_usage(self) -> bool:
        """Whether the last chunk of a stream is to carry the usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def person(self) -> str | None:
        """Whom the request is made for, in the client's words."""
        return self.safety_identifier or self.user

    @property
    def conversation(self) -> str | None:
        """The client's id of the conversation."""
        named = (self.metadata or {}).get("conversation_id") or (self.model_extra or {}).get("conversation_id")
        return named if isinstance(named, str) else None


def turn_options(request: ChatRequest) -> dict[str, Any]:
    """Return the fields that say how to answer: those for the provider, and ``stream`` and ``on_disconnect``."""
    given = {
        name: value
        for name, value in (request.model_extra or {}).items()
        if name not in _NOT_FOR_PROVIDERS and value is not None and value not in _DEFAULTS.get(name, ())
    }
    return given | {"stream": request.stream, "on_disconnect": request.on_disconnect}
