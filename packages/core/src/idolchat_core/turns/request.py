"""What a caller may ask of a turn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, to_json

from idolchat_core.characters.contract import DirectoryEntry
from idolchat_core.content_parts import MessageContent
from idolchat_core.coordination.contract import OnBusy

__all__ = [
    "NewMessage",
    "OnBusy",
    "OnDisconnect",
    "TurnOptions",
    "TurnRequest",
    "WithCharacter",
]

REFUSED_FIELDS = frozenset(
    {
        "api_base", "api_key", "api_type", "api_version", "base_url", "custom_llm_provider", "debug", "deployment_id",
        "extra_body", "extra_headers", "extra_query", "headers", "organization", "proxy", "timeout",
    }
)  # fmt: skip
"""Fields that redirect a call or its credentials at some router (CVE-2024-6587), or echo what it sends."""


MAX_MESSAGES = 10_000
"""In one request; far more than any context window holds."""


class OnDisconnect(StrEnum):
    """What to do when the last reader of a turn leaves before its end."""

    CONTINUE = "continue"
    CANCEL = "cancel"


class NewMessage(BaseModel):
    """A message as a client sends it, in the form of the OpenAI chat completions API."""

    model_config = ConfigDict(frozen=True, extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: MessageContent | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        may_be_empty = bool(self.tool_calls) if self.role == "assistant" else self.role == "tool" and self.content == ""
        if not self.content and not may_be_empty:
            raise ValueError("content must not be empty")
        if self.role == "tool" and not self.tool_call_id:
            raise ValueError("a tool message needs the tool_call_id that it answers")
        return self

    @property
    def is_instruction(self) -> bool:
        """Whether it serves this turn's prompt and is not stored."""
        return self.role in ("system", "developer")


def _refusal(field: str, why: str) -> PydanticCustomError:
    """Refuse a field that is not declared; ``ctx`` of the validation error names it as ``param``."""
    return PydanticCustomError("refused", "{param} {why}", {"param": field, "why": why})


type WithCharacter = Callable[[DirectoryEntry], TurnOptions]
"""Returns the options for a turn of this character's: with what she brings, as far as the caller may have it."""

_LENGTHS = frozenset({"max_tokens", "max_completion_tokens"})


class TurnOptions(BaseModel):
    """How a turn is to be run; ``next_character_id`` names who answers, where a conversation has several characters.

    Fields that are not named here (``temperature``, ``tools``, ``provider``, ...) are in ``options`` and go to the
    provider unchanged.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    next_character_id: UUID | None = None
    stream: bool = False
    on_busy: OnBusy = OnBusy.ENQUEUE
    on_disconnect: OnDisconnect = OnDisconnect.CONTINUE
    _with_character: WithCharacter | None = PrivateAttr(default=None)

    @field_validator("stream", "on_busy", "on_disconnect", mode="before")
    @classmethod
    def _null_is_absent(cls, value: object, info: ValidationInfo) -> object:
        return cls.model_fields[info.field_name or ""].default if value is None else value

    @model_validator(mode="after")
    def _is_harmless(self) -> Self:
        given = self.options
        if not given:
            return self
        refused = REFUSED_FIELDS & given.keys()
        if refused:
            raise _refusal(min(refused), "may not be set by a request; the server's own settings decide it")
        for name in ("logprobs", "top_logprobs"):
            if given.get(name, False) is not False:
                raise _refusal(name, "must be left out: the log probabilities of a reply are not kept")
        if "messages" in given:
            raise _refusal("messages", "may not be set: what is answered is stored already")
        if given.get("n") not in (None, 1):
            raise _refusal("n", "must be 1: a turn has one reply; regenerate it for another")
        if given.get("logprobs") or given.get("top_logprobs"):
            raise _refusal("logprobs" if given.get("logprobs") else "top_logprobs", "are not passed on; leave them out")
        return self

    @property
    def options(self) -> Mapping[str, Any]:
        """The fields that go to the provider unchanged; null is as absent."""
        more = self.__pydantic_extra__
        return {name: value for name, value in more.items() if value is not None} if more else {}

    def within(self, with_character: WithCharacter) -> Self:
        """Return the same options for a caller who may not have whatever a character brings."""
        limited = self.model_copy()
        limited._with_character = with_character  # noqa: SLF001  of our own kind
        return limited

    def with_character(self, entry: DirectoryEntry) -> TurnOptions:
        """Return the options for a turn of this character's: with her model and options where none are given."""
        if self._with_character is not None:
            return self._with_character(entry)
        if not entry.options and entry.model is None:
            return self
        given = self.options
        named = given.keys() | _NOT_A_CHARACTERS | (_LENGTHS if _LENGTHS & given.keys() else set())
        brought: dict[str, Any] = {name: value for name, value in entry.options.items() if name not in named}
        if self.model is None and "models" not in given and entry.model is not None:
            brought["model"] = entry.model
        return self.model_copy(update=brought) if brought else self


_NOT_A_CHARACTERS = REFUSED_FIELDS | TurnOptions.model_fields.keys() | {"messages", "n"}
"""What no character brings: how a reply is delivered, where a call goes, and what stands in the prompt."""


class TurnRequest(TurnOptions):
    """One turn: the new messages, where they belong, and any other field of a chat completions request.

    ``messages`` are the new ones, oldest first; a client may also send the whole history again. Where the last is a
    text of the assistant, the turn continues it. With ``greeting`` a conversation that begins here begins with the
    greeting of its character, if she has one and no message is the assistant's.
    """

    messages: Annotated[tuple[NewMessage, ...], Field(min_length=1, max_length=MAX_MESSAGES)]
    conversation_id: UUID | None = None
    user_id: UUID | None = None
    character_id: UUID | None = None
    greeting: bool = True

    @field_validator("greeting", mode="before")
    @classmethod
    def _null_is_true(cls, value: object) -> object:
        return True if value is None else value

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        said = [message for message in self.messages if not message.is_instruction]
        if not said:
            raise ValueError("messages must hold at least one that is not a system message")
        last = said[-1]
        if last.role == "assistant" and (last.tool_calls or not isinstance(last.content, str)):
            raise ValueError("the last message must be the user's or a tool's, or a text of the assistant to continue")
        return self

    def fingerprint(self) -> str:
        """Return what differs for another request under the same idempotency key: SHA-256, 64 hexadecimal digits.

        How the reply is delivered (``stream``, ``on_busy``, ``on_disconnect``) makes no other request, nor does
        naming the conversation that the key had begun.
        """
        delivery = {"stream", "on_busy", "on_disconnect", "conversation_id"}
        said = self.model_dump(mode="json", exclude=delivery, exclude_unset=True)
        return hashlib.sha256(to_json(dict(sorted(said.items())))).hexdigest()
