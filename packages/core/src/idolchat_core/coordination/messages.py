"""What processes tell each other over the bus, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from idolchat_core.coordination.contract import Bus, Occupant
from idolchat_core.events.events import Event, TurnEnded, TurnStarted, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta
from idolchat_core.models import StoredId

__all__ = [
    "BusMessage",
    "Follow",
    "Gone",
    "Leave",
    "Opening",
    "Said",
    "Stop",
    "Told",
    "read_message",
    "send_stops",
    "tell",
    "write",
]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Stop(_Message):
    """Ends a turn where it is, in ``state``."""

    kind: Literal["stop"] = "stop"
    turn_id: UUID
    state: TurnState


class Follow(_Message):
    """Send the events of a turn after ``after`` to an inbox, and go on; ``again`` where some were lost on the way."""

    kind: Literal["follow"] = "follow"
    turn_id: UUID
    inbox: str
    after: int
    again: bool


class Leave(_Message):
    """Send no more events of a turn to an inbox."""

    kind: Literal["leave"] = "leave"
    turn_id: UUID
    inbox: str


class Gone(_Message):
    """A turn that is asked for is not here."""

    kind: Literal["gone"] = "gone"
    turn_id: UUID


class _Started(_Message):
    started: TurnStarted


class _Said(_Message):
    said: Delta


class _Ended(_Message):
    ended: TurnEnded


class Opening(_Message):
    """What is known of a turn beside its events."""

    user_id: StoredId | None
    fingerprint: str | None
    continued_text: str


class Told(_Message):
    """Events of a turn, the first with the ``seq`` ``first``; with event 0 comes what else is known of the turn."""

    kind: Literal["told"] = "told"
    turn_id: UUID
    state: TurnState
    first: int
    told: tuple[_Started | _Said | _Ended, ...]
    opening: Opening | None = None

    @property
    def events(self) -> list[Event]:
        """The events."""
        return [_event(each) for each in self.told]


def tell(live: LiveTurn, first: int, events: Sequence[Event]) -> bytes:
    """Write events of a turn, the first with the ``seq`` ``first``."""
    user_id, fingerprint, continued = live.user_id, live.fingerprint, live.continued_text
    message = Told(
        kind="told",
        turn_id=live.turn_id,
        state=live.state,
        first=first,
        told=tuple([_carried(event) for event in events]),
        opening=None if first else Opening(user_id=user_id, fingerprint=fingerprint, continued_text=continued),
    )
    return write(message)


def _carried(event: Event) -> _Started | _Said | _Ended:
    if isinstance(event, Delta):
        return _Said.model_construct(said=event)
    if isinstance(event, TurnStarted):
        return _Started.model_construct(started=event)
    return _Ended.model_construct(ended=event)


def _event(carried: _Started | _Said | _Ended) -> Event:
    if isinstance(carried, _Said):
        return carried.said
    return carried.started if isinstance(carried, _Started) else carried.ended


class Said(_Message):
    """Texts that turns have said: of each the id in hexadecimal, the ``seq`` of the first text, and the texts."""

    kind: Literal["said"] = "said"
    said: tuple[tuple[str, int, list[str]], ...]


type BusMessage = Annotated[Stop | Follow | Leave | Gone | Told | Said, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Stop | Follow | Leave | Gone | Told | Said] = TypeAdapter(BusMessage)


def read_message(message: bytes) -> Stop | Follow | Leave | Gone | Told | Said:
    """Read what was sent. Raises ``ValidationError``."""
    return _ADAPTER.validate_json(message)


def write(message: Stop | Follow | Leave | Gone | Told | Said) -> bytes:
    """Write what is to be sent; what was not set of a message of the conversation stays so."""
    return message.model_dump_json(exclude_unset=isinstance(message, Told)).encode()


def send_stops(bus: Bus, occupants: Iterable[Occupant], state: TurnState) -> None:
    """Send the processes of turns that are marked to be stopped a message, so that they stop at once."""
    for occupant in occupants:
        bus.send(occupant.inbox, write(Stop(turn_id=occupant.turn_id, state=state)))
