"""What a conversation is made of: frozen values, the same in storage, in core and on the wire."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import UUID, SafeUUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from uuid_utils import uuid7

__all__ = [
    "Conversation",
    "ConversationList",
    "ConversationSummary",
    "Message",
    "Page",
    "StoredId",
    "Usage",
    "branch_messages",
    "branch_positions",
    "deleted_form",
    "id_text",
    "is_made_here",
    "new_id",
    "position_of",
    "utc_now",
]


_MAX_MADE_HERE = 4096
_UNKNOWN = SafeUUID.unknown
_made_here: OrderedDict[int, None] = OrderedDict()
"""By the integers of the ids, which are hashed in C: threads make ids, too, and none sees a change half made."""


def new_id() -> UUID:
    """Make an id: UUIDv7 (RFC 9562), so that ids made later sort later."""
    number = uuid7().int
    made = object.__new__(UUID)  # as ``UUID(int=...)`` makes it, whose checks take longer than all else here
    object.__setattr__(made, "int", number)
    object.__setattr__(made, "is_safe", _UNKNOWN)
    _made_here[number] = None
    if len(_made_here) > _MAX_MADE_HERE:
        _made_here.popitem(last=False)
    return made


def id_text(given: UUID) -> str:
    """Return an id as text, as ``str`` does: a turn asks for the same few a dozen times."""
    return _text_of(given.int)


@lru_cache(maxsize=4096)
def _text_of(number: int) -> str:
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_made_here(conversation_id: UUID) -> bool:
    """Return whether this process has just made an id, among its last few thousand, so that nobody can know it yet."""
    return conversation_id.int in _made_here


def utc_now() -> datetime:
    """Return the current time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


UtcTime = Annotated[datetime, AfterValidator(_in_utc)]
"""An aware UTC time; a naive one, as the original service wrote, is read as UTC."""

StoredId = Annotated[UUID | str, Field(union_mode="left_to_right")]
"""A UUID; documents written by other services may hold other names, which are kept as they are."""


class _Stored(BaseModel):
    """A value of the stored document: unknown fields are kept, and only fields that were given are written."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Usage(_Stored):
    """What one completion took, as the provider counted it.

    ``cost`` is in the provider's currency (US dollars at OpenRouter). ``cached_tokens`` are those of
    ``input_tokens`` that the provider read from its prompt cache; ``reasoning_tokens`` are among ``output_tokens``.
    ``is_estimate`` says that we counted, because the reply was cut before the provider told.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    is_estimate: bool = False


class Message(_Stored):
    """One utterance.

    ``role`` is ``user``, ``assistant`` or ``tool`` (``system`` is never stored by us). ``content`` is text, or a list
    of OpenAI content parts, or null beside ``tool_calls``. ``parent_id`` is given only where the message does not
    follow the one before it. ``finish_reason`` of a reply is the provider's (``stop``, ``length``, ``tool_calls``,
    ``content_filter``), or ours: ``cancelled``, ``incomplete`` (the provider or the server stopped half-way),
    ``interrupted`` (the server died), ``error`` (no reply at all; ``error`` says why). A reply that ``continues``
    another holds the text of that one and what the model added. ``origin`` is ``client`` for a reply that a client
    wrote, and ``greeting`` for what a character says first. ``character_id`` says who speaks, where there are several.
    A message that was deleted keeps its place with ``deleted_at`` and without content: see ``deleted_form``.
    """

    id: StoredId
    role: str
    content: str | list[dict[str, Any]] | None = None
    timestamp: UtcTime
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    turn_id: UUID | None = None
    parent_id: StoredId | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None
    error: dict[str, Any] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    continues: StoredId | None = None
    origin: str | None = None
    character_id: StoredId | None = None
    deleted_at: UtcTime | None = None


def deleted_form(message: Message, *, deleted_at: datetime) -> Message:
    """Return what stays of a message that is deleted: its place, time and role, and nothing of what it said.

    The turn stays, so that the idempotency key that it was sent with makes no second message of the same id.
    """
    kept = {"id", "role", "timestamp", "turn_id", "parent_id"} & message.model_fields_set
    fields = {name: getattr(message, name) for name in kept}
    return Message(**fields, content=None, deleted_at=message.deleted_at or deleted_at)


class Conversation(_Stored):
    """A series of messages between one user and one character, or several, oldest first: the stored document.

    With several, ``character_ids`` are theirs, the first of them ``character_id``, and ``next_speaker`` says who of
    them answers (see ``NextSpeaker``).
    ``persona_id`` is whom the user plays. ``head`` is the last message of the active branch where that is not simply
    the last message; ``forked_from`` is the conversation that this one began as a copy of.
    ``status`` is ``damaged`` when the stored bytes could be read only in part; a document that says so itself is
    not believed, and what else it says there is kept like any unknown field.
    """

    id: UUID
    created_at: UtcTime
    user_id: StoredId | None = None
    character_id: StoredId | None = None
    messages: tuple[Message, ...] = ()
    updated_at: UtcTime
    character_ids: tuple[StoredId, ...] | None = None
    next_speaker: str | None = None
    persona_id: StoredId | None = None
    head: StoredId | None = None
    forked_from: StoredId | None = None
    status: str | None = None


class Page(BaseModel):
    """Part of a conversation: ``conversation.messages`` are those from position ``start`` on, of ``total``.

    ``revision`` is the store's name for the conversation as it was then, all of it: another one after every change,
    whoever made it. It is 1 to 128 visible ASCII characters without quotes, and part of no document.
    """

    model_config = ConfigDict(frozen=True)

    conversation: Conversation
    start: int
    total: int
    revision: str


class ConversationSummary(BaseModel):
    """One line of a list of conversations; ``character_ids`` as in the document, null where there is one character."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    user_id: StoredId | None = None
    character_id: StoredId | None = None
    character_ids: tuple[StoredId, ...] | None = None
    created_at: UtcTime
    updated_at: UtcTime
    message_count: int
    status: Literal["ok", "damaged"] = "ok"


class ConversationList(BaseModel):
    """Conversations, newest first; ``next`` is the ``before`` of the following page, null at the end."""

    model_config = ConfigDict(frozen=True)

    data: Sequence[ConversationSummary]
    next: str | None = None


def position_of(messages: Sequence[Message], message_id: StoredId | None) -> int | None:
    """Find a message by its id; None where it is not there, and for no id."""
    return next((at for at, message in enumerate(messages) if message.id == message_id), None)


def branch_positions(messages: Sequence[Message], end: int) -> list[int]:
    """Return where the messages of a branch stand that ends at a position (-1: it is empty), oldest first.

    A parent stands before what follows it: one that is not there, or stands later in a document that somebody has
    edited, is none.
    """
    positions = {message.id: position for position, message in enumerate(messages)}
    branch: list[int] = []
    while end >= 0:
        branch.append(end)
        message = messages[end]
        parent = end - 1
        if "parent_id" in message.model_fields_set:
            parent = positions.get(message.parent_id, -1) if message.parent_id is not None else -1
        end = parent if parent < end else -1
    return branch[::-1]


def branch_messages(conversation: Conversation, upto: StoredId | None = None) -> tuple[Message, ...]:
    """Return the messages of a branch, oldest first: the one that ends with ``upto``, else the active one.

    It is empty where ``upto`` is nowhere. A ``head`` that is nowhere is none: then the last message ends the branch.
    """
    messages = conversation.messages
    end = position_of(messages, upto if upto is not None else conversation.head)
    if end is None:
        end = -1 if upto is not None else len(messages) - 1
    return tuple(messages[position] for position in branch_positions(messages, end))
