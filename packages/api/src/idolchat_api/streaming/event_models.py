"""What the server sends over the WebSocket and as server-sent events, for the AsyncAPI document.

The bytes are made elsewhere, by hand; the tests read every frame and event of theirs through these models.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core.events.events import TurnState
from idolchat_core.models import Message, StoredId, Usage

__all__ = [
    "Authenticated",
    "Cancelled",
    "Chunk",
    "ConversationStarted",
    "DeltaChunk",
    "DeltaFrame",
    "EndChunk",
    "ErrorFrame",
    "MessageFrame",
    "Pong",
    "ProblemChunk",
    "ServerFrame",
    "StartChunk",
    "TurnStartedFrame",
]


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Authenticated(_Sent):
    """The token is good, until `expires_at` where it says so."""

    type: Literal["authenticated"]
    user_id: UUID | None
    expires_at: datetime | None


class ConversationStarted(_Sent):
    """Messages that name no conversation belong to this one from now on."""

    type: Literal["conversation_started"]
    conversation_id: UUID
    character_id: StoredId | None
    user_id: StoredId | None
    message: Message | None = Field(None, description="The greeting that the conversation begins with.")
    alternates: tuple[Message, ...] = Field((), description="Other greetings, which stand beside it.")


class TurnStartedFrame(_Sent):
    """The user's message is on disk and the turn exists; always `seq` 0."""

    type: Literal["turn_started"]
    conversation_id: UUID
    turn_id: UUID
    seq: int
    user_message_id: StoredId
    model: str | None
    state: Literal["queued"] | None = Field(None, description="Where it waits for other turns.")
    turns_ahead: int | None = None
    character_id: StoredId | None = Field(None, description="Who answers, where there are several characters.")
    client_message_id: str | None = None


class DeltaFrame(_Sent):
    """A piece of the reply."""

    type: Literal["delta"]
    turn_id: UUID
    seq: int
    content: str
    fields: dict[str, Any] | None = Field(None, description="What else the model sent, such as `reasoning`.")


class MessageFrame(_Sent):
    """The reply is complete and on disk; the turn's last event."""

    type: Literal["message"]
    conversation_id: UUID
    turn_id: UUID
    seq: int
    message: Message | None
    usage: Usage | None


class Cancelled(_Sent):
    """The turn was stopped; what had been said is on disk. Without `seq` for one that is not followed here."""

    type: Literal["cancelled"]
    conversation_id: UUID
    turn_id: UUID
    seq: int | None = None
    message: Message | None = None
    usage: Usage | None = None


class ErrorFrame(_Sent):
    """A frame was refused, or with `seq`, a turn ended without a complete reply.

    Decide by `code`. `message_id` is what is stored of the reply.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    type: Literal["error"]
    message: str
    code: str
    param: str | None = None
    retry_after_s: float | None = None
    conversation_id: UUID | None = None
    turn_id: UUID | None = None
    client_message_id: str | None = None
    seq: int | None = None
    state: TurnState | None = None
    message_id: StoredId | None = None
    usage: Usage | None = None


class Pong(_Sent):
    """The answer to `ping`."""

    type: Literal["pong"]


type ServerFrame = Annotated[
    Authenticated | ConversationStarted | TurnStartedFrame | DeltaFrame | MessageFrame | Cancelled | ErrorFrame | Pong,
    Field(discriminator="type"),
]


class StreamProblem(_Sent):
    model_config = ConfigDict(frozen=True, extra="allow")

    message: str
    type: str
    code: str
    param: str | None = None
    retry_after_s: float | None = None


class _Common(_Sent):
    id: str = Field(description="`chatcmpl-<turn_id>`")
    object: Literal["chat.completion.chunk"]
    created: int = Field(description="Unix time in seconds.")
    model: str


class _Ids(_Common):
    conversation_id: UUID
    turn_id: UUID


class FirstDelta(_Sent):
    role: Literal["assistant"]
    content: Literal[""]


class FirstChoice(_Sent):
    index: Literal[0]
    delta: FirstDelta
    finish_reason: None


class StartChunk(_Ids):
    """The user's message is on disk and the turn exists; the event's id ends in `:0`."""

    choices: tuple[FirstChoice]
    user_message_id: StoredId
    state: Literal["queued"] | None = None
    turns_ahead: int | None = None


class ChunkDelta(_Sent):
    model_config = ConfigDict(frozen=True, extra="allow")

    content: str | None = None


class DeltaChoice(_Sent):
    index: Literal[0]
    delta: ChunkDelta
    finish_reason: None


class DeltaChunk(_Common):
    """A piece of the reply; `delta` has beside `content` what else the model sent."""

    choices: tuple[DeltaChoice]


class NoDelta(_Sent):
    pass


class LastChoice(_Sent):
    index: Literal[0]
    delta: NoDelta
    finish_reason: str = Field(description="The model's, or `cancelled`, or `error`.")


class EndChunk(_Ids):
    """The turn is over and what is kept of the reply is on disk. `[DONE]` follows."""

    choices: tuple[LastChoice]
    usage: dict[str, Any] | None = Field(description="As OpenAI names it.")
    message_id: StoredId | None
    state: TurnState
    error: StreamProblem | None = None


class ProblemChunk(_Sent):
    """The stream ends here, and not the turn: it has no event id to go on from."""

    object: Literal["chat.completion.chunk"]
    choices: tuple[()]
    error: StreamProblem
    state: TurnState | Literal["unknown"]
    conversation_id: UUID | None = None
    turn_id: UUID | None = None


type Chunk = StartChunk | DeltaChunk | EndChunk | ProblemChunk
