"""Frames of the WebSocket, from and to clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from idolchat_api.asgi.json_text import mended
from idolchat_api.asgi.requests import in_words_of_json, invalid_request
from idolchat_api.auth.caller import Reference
from idolchat_api.errors import Problem, problem_from_turn
from idolchat_api.streaming.sse_encoder import speaking, waiting
from idolchat_core.characters.cast import MAX_CHARACTERS, NextSpeaker
from idolchat_core.characters.greeting import GREETING
from idolchat_core.errors import InvalidRequest
from idolchat_core.events.events import Event, TurnEnded, TurnStarted, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta
from idolchat_core.models import Message, StoredId
from idolchat_core.turns.request import OnBusy, OnDisconnect, TurnOptions, TurnRequest

__all__ = [
    "ClientFrame",
    "TurnFrames",
    "frame_text",
    "greeted",
    "problem_text",
    "read_frame",
    "turn_options",
    "turn_request",
]

KINDS = ("auth", "start_conversation", "message", "continue", "cancel", "resume", "ping")


class ClientFrame(BaseModel):
    """A frame from a client; unknown fields are ignored.

    ``options`` are further fields of a chat completions request, such as ``temperature``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str
    token: SecretStr | None = None
    conversation_id: UUID | None = None
    user_id: UUID | None = None
    character_id: Reference | None = None
    character_ids: Annotated[tuple[Reference, ...], Field(min_length=2, max_length=MAX_CHARACTERS)] | None = None
    persona_id: UUID | None = None
    next_speaker: NextSpeaker | None = None
    next_character_id: UUID | None = None
    message: str | list[dict[str, Any]] | None = None
    client_message_id: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    message_id: StoredId | None = None
    turn_id: UUID | None = None
    after_seq: Annotated[int, Field(ge=-1)] = -1
    model: str | None = None
    greeting: bool = True
    traceparent: str | None = None
    on_busy: OnBusy = OnBusy.ENQUEUE
    on_disconnect: OnDisconnect = OnDisconnect.CONTINUE
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("after_seq", "on_busy", "on_disconnect", "greeting", "options", mode="before")
    @classmethod
    def _null_is_absent(cls, value: object, info: ValidationInfo) -> object:
        field = cls.model_fields[info.field_name or ""]
        return field.get_default(call_default_factory=True, validated_data=info.data) if value is None else value


def read_frame(text: str) -> ClientFrame:
    """Read a client's frame. Raises ``InvalidRequest``, with the path of the field."""
    text = mended(text.encode()).decode()
    try:
        frame = ClientFrame.model_validate_json(text)
    except ValidationError as error:
        raise invalid_request(error, text) from None
    if frame.type not in KINDS:
        raise InvalidRequest(f"type: must be one of {', '.join(KINDS)}", param="type")
    return frame


def turn_request(frame: ClientFrame) -> TurnRequest:
    """Convert a ``message`` frame to a turn request. Raises ``InvalidRequest``, which names the frame's field."""
    if not frame.message:
        raise InvalidRequest("message: must not be empty", param="message")
    fields = {
        "messages": [{"role": "user", "content": frame.message}],
        "conversation_id": frame.conversation_id,
        "user_id": frame.user_id,
        "character_id": frame.character_id,
        "model": frame.model,
        "next_character_id": frame.next_character_id,
        "greeting": None if frame.greeting else False,
        "stream": True,
        "on_busy": frame.on_busy,
        "on_disconnect": frame.on_disconnect,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return TurnRequest.model_validate(frame.options | given)
    except ValidationError as error:
        raise _refusal(error) from None


def turn_options(frame: ClientFrame) -> TurnOptions:
    """Convert a ``continue`` frame to the options of its turn. Raises ``InvalidRequest``, which names the field."""
    named = {"model": frame.model, "next_character_id": frame.next_character_id}
    given = {name: value for name, value in named.items() if value is not None}
    how = {"stream": True, "on_busy": frame.on_busy, "on_disconnect": frame.on_disconnect}
    try:
        return TurnOptions.model_validate(frame.options | given | how)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> InvalidRequest:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "options"
    param = "message" if name == "messages" else name
    return InvalidRequest(f"{param}: {in_words_of_json(first['msg'])}", param=param)


def frame_text(kind: str, fields: dict[str, Any]) -> str:
    """Encode a frame."""
    return orjson.dumps({"type": kind} | fields, default=_plain).decode()


def greeted(messages: Sequence[Message]) -> dict[str, Any]:
    """Return the fields of a frame for a conversation's greeting, and its alternates where there are any."""
    said = [message for message in messages if message.origin == GREETING]
    told: dict[str, Any] = {"message": said[0]} if said else {}
    return told | ({"alternates": said[1:]} if len(said) > 1 else {})


def problem_text(problem: Problem, **fields: Any) -> str:
    """Encode an ``error`` frame; fields that are None are left out."""
    said = problem.as_dict() | {name: value for name, value in fields.items() if value is not None}
    return frame_text("error", {name: value for name, value in said.items() if name != "type"})


class TurnFrames:
    """Encodes the events of one turn; the first repeats ``client_message_id``."""

    def __init__(self, turn: LiveTurn, *, client_message_id: str | None = None) -> None:
        self._ids: dict[str, Any] = {"conversation_id": turn.conversation_id, "turn_id": turn.turn_id}
        self._echo = {"client_message_id": client_message_id} if client_message_id else {}
        self._delta = b'{"type":"delta","turn_id":"%b","seq":%%d,"content":%%b%%b}' % str(turn.turn_id).encode()

    def delta(self, seq: int, event: Delta | str) -> bytes:
        if isinstance(event, str):
            return self._delta % (seq, orjson.dumps(event), b"")
        more = b',"fields":' + orjson.dumps(event.fields) if event.fields else b""
        return self._delta % (seq, orjson.dumps(event.content), more)

    def text(self, seq: int, event: Event) -> str:
        if isinstance(event, Delta):
            return self.delta(seq, event).decode()
        if isinstance(event, TurnStarted):
            about = {"user_message_id": event.user_message_id, "model": event.model} | speaking(event)
            return frame_text("turn_started", self._ids | {"seq": seq} | about | waiting(event) | self._echo)
        return self._end(event, self._ids | {"seq": seq})

    def _end(self, ended: TurnEnded, ids: dict[str, Any]) -> str:
        said = {"message": ended.message, "usage": ended.usage}
        if ended.state is TurnState.COMPLETED:
            return frame_text("message", ids | said)
        if ended.state is TurnState.CANCELLED:
            return frame_text("cancelled", ids | said)
        partial = ended.message.id if ended.message else None
        return problem_text(problem_from_turn(ended), **ids, state=ended.state, message_id=partial, usage=ended.usage)


def _plain(value: BaseModel) -> Any:
    return value.model_dump(mode="json", exclude_unset=True)
