"""The events of a turn, in order: started, deltas, ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from idolchat_core.llm.contract import Delta
from idolchat_core.models import Message, StoredId, Usage

__all__ = ["Batch", "Event", "TurnEnded", "TurnStarted", "TurnState", "TurnStatus"]


class TurnState(StrEnum):
    """Where a turn stands; all but the first two are final.

    ``failed`` has no reply; ``incomplete`` has part of one, cut by the provider or by our shutting down;
    ``cancelled`` was stopped by somebody who may, with what had been said; ``interrupted`` died with the server.
    """

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"


class TurnStarted(NamedTuple):
    """The turn exists and the user's message is on disk; always number 0.

    ``turns_ahead`` is how many turns of the conversation it waits for, as it begins. ``character_id`` says who answers
    where there are several, and that is known yet.
    """

    turn_id: UUID
    conversation_id: UUID
    user_message_id: StoredId
    message_id: StoredId
    model: str | None
    created_at: datetime
    turns_ahead: int = 0
    character_id: StoredId | None = None


class TurnEnded(NamedTuple):
    """The turn is over and ``message``, if there is one, is on disk; always the last.

    ``error`` is ``{"code", "message"}`` and what else is known (``retry_after_s``); given where ``state`` is
    ``failed`` or ``incomplete``.
    """

    state: TurnState
    message: Message | None = None
    usage: Usage | None = None
    error: dict[str, Any] | None = None


type Event = TurnStarted | Delta | TurnEnded
"""Its ``seq`` is its position in the turn's log, from 0."""

type Batch = Sequence[Event | str]
"""Events that came together; where all are deltas of nothing but text, as most are, it may be their texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStatus:
    """A turn as it stands now; ``content`` is the text so far, ``last_seq`` None where the events are gone."""

    turn_id: UUID
    conversation_id: UUID
    state: TurnState
    user_message_id: StoredId | None = None
    message_id: StoredId | None = None
    content: str = ""
    model: str | None = None
    usage: Usage | None = None
    error: dict[str, Any] | None = None
    last_seq: int | None = None
