"""What can be wrong with a conversation that can be read, and how it is mended without losing a word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from uuid import uuid5

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core.models import Conversation, Message

__all__ = ["Issue", "IssueCode", "issues_of", "repaired"]

type IssueCode = Literal["damaged", "unreadable", "duplicate_id", "time_order", "reference", "index"]


class Issue(BaseModel):
    """One thing that is wrong with a stored conversation; ``position`` is that of the message, from 0."""

    model_config = ConfigDict(frozen=True)

    code: IssueCode = Field(
        description="damaged: part of it cannot be read; unreadable: the storage cannot read it now; duplicate_id: two"
        " messages with one id; time_order: a message older than one of the same role before it; reference: a head or"
        " parent_id that names no message before it; index: the index of the storage says something else"
    )
    message: str
    position: int | None = None


def issues_of(conversation: Conversation) -> Iterator[Issue]:
    """Find what is wrong with a conversation.

    Times are compared within a role: a message that waited for the reply to another is older than that reply.
    """
    known: set[str] = set()
    last: dict[str, datetime] = {}
    for position, message in enumerate(conversation.messages):
        message_id = str(message.id)
        if message_id in known:
            yield Issue(code="duplicate_id", message=f"message {message_id} is there twice", position=position)
        if message.parent_id is not None and str(message.parent_id) not in known:
            text = f"message {message_id} follows {message.parent_id}, which is not before it"
            yield Issue(code="reference", message=text, position=position)
        before = last.get(message.role)
        if before is not None and message.timestamp < before:
            text = f"message {message_id} is of {message.timestamp.isoformat()}, older than one before it"
            yield Issue(code="time_order", message=text, position=position)
        else:
            last[message.role] = message.timestamp
        known.add(message_id)
    if conversation.head is not None and str(conversation.head) not in known:
        yield Issue(code="reference", message=f"its head is {conversation.head}, which is no message of it")
    if conversation.status == "damaged":
        yield Issue(code="damaged", message="part of it cannot be read")


def repaired(conversation: Conversation) -> Conversation:
    """Return a conversation without flaws, with every message that it has.

    A second message with the same id gets another one, which follows from its position; one that is older than the one
    before it gets that one's time; what names no message is left out.
    """
    known: set[str] = set()
    last: dict[str, datetime] = {}
    messages: list[Message] = []
    for position, message in enumerate(conversation.messages):
        changes: dict[str, Any] = {}
        if str(message.id) in known:
            changes["id"] = uuid5(conversation.id, f"message {position}")
        if message.timestamp < last.get(message.role, message.timestamp):
            changes["timestamp"] = last[message.role]
        sound = message.model_copy(update=changes)
        if message.parent_id is not None and str(message.parent_id) not in known:
            sound = _without(sound, "parent_id")
        known.add(str(sound.id))
        last[sound.role] = sound.timestamp
        messages.append(sound)
    whole = conversation.model_copy(update={"messages": tuple(messages)})
    if whole.status == "damaged":
        whole = _without(whole, "status")
    return whole if whole.head is None or str(whole.head) in known else _without(whole, "head")


def _without[M: (Message, Conversation)](value: M, field: str) -> M:
    names = value.model_fields_set | (value.model_extra or {}).keys()
    return type(value).model_construct(**{name: getattr(value, name) for name in names if name != field})
