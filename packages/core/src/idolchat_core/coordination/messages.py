"""What processes tell each other over the bus, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import to_json

from idolchat_core.coordination.contract import Bus, Occupant
from idolchat_core.events.events import Event, TurnEnded, TurnStarted, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta
from idolchat_core.models import StoredId

__all__ = [
    "BusMessage",
    "CarriedDelta",
    "Deltas",
    "Follow",
    "Gone",
    "Leave",
    "Left",
    "Opening",
    "Stop",
    "Texts",
    "Told",
    "Watch",
    "read_message",
    "send_stops",
    "send_watch",
    "tell",
    "write",
    "write_deltas",
    "write_texts",
]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Stop(_Message):
    """Ends a turn where it is, in ``state``."""

    kind: Literal["stop"] = "stop"
    turn_id: UUID
    state: TurnState


class Watch(_Message):
    """Tell an inbox when a turn has given up its place, with ``Left``."""

    kind: Literal["watch"] = "watch"
    turn_id: UUID
    inbox: str


class Left(_Message):
    """A turn has no place any more where it was watched."""

    kind: Literal["left"] = "left"
    turn_id: UUID


class Follow(_Message):
    """Send the events of a turn after ``after`` to an inbox, and go on; ``again`` where some were lost on the way.

    ``number`` is what ``Deltas`` and ``Texts`` are to call the turn; ``reads_texts`` where the reader knows ``Texts``,
    which those of before do not.
    """

    kind: Literal["follow"] = "follow"
    turn_id: UUID
    inbox: str
    number: int
    after: int
    again: bool
    reads_texts: bool = False


class Leave(_Message):
    """Send no more events of a turn to an inbox."""

    kind: Literal["leave"] = "leave"
    turn_id: UUID
    inbox: str


class Gone(_Message):
    """A turn that is asked for is not here."""

    kind: Literal["gone"] = "gone"
    turn_id: UUID


@dataclass(frozen=True, slots=True)
class _Started:
    started: TurnStarted


@dataclass(frozen=True, slots=True)
class _Said:
    said: Delta


@dataclass(frozen=True, slots=True)
class _Ended:
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
        return _Said(event)
    return _Started(event) if isinstance(event, TurnStarted) else _Ended(event)


def _event(carried: _Started | _Said | _Ended) -> Event:
    if isinstance(carried, _Said):
        return carried.said
    return carried.started if isinstance(carried, _Started) else carried.ended


type CarriedDelta = str | tuple[str, dict[str, Any] | None, str | None, str | None]
"""A delta of nothing but text, or the fields of another one."""


class Deltas(NamedTuple):
    """Deltas of many turns: of each the number by which it is followed, the ``seq`` of its first, and the deltas."""

    entries: list[tuple[int, int, list[CarriedDelta]]]


class Texts(NamedTuple):
    """Deltas of nothing but text, as ``Deltas`` has them, in columns; ``texts`` are those of all turns.

    Most of what is sent is this, and to read an object for each turn would cost several times as much.
    """

    numbers: list[int]
    firsts: list[int]
    counts: list[int]
    texts: list[str]


def _matching(texts: Texts) -> Texts:
    numbers, firsts, counts, said = texts
    if not len(numbers) == len(firsts) == len(counts) or sum(counts) != len(said) or 0 in counts:
        raise ValueError("the columns do not match")
    return texts


type BusMessage = Annotated[Stop | Watch | Left | Follow | Leave | Gone | Told, Field(discriminator="kind")]
type AnyMessage = Stop | Watch | Left | Follow | Leave | Gone | Told
_ADAPTER: TypeAdapter[AnyMessage] = TypeAdapter(BusMessage)
_DELTAS = TypeAdapter(list[tuple[int, int, list[Annotated[CarriedDelta, Field(union_mode="left_to_right")]]]])
_TEXTS = TypeAdapter(Annotated[Texts, AfterValidator(_matching)])
_OF_DELTAS, _OF_TEXTS = b"deltas:", b"texts:"


def read_message(message: bytes) -> AnyMessage | Deltas | Texts:
    """Read what was sent. Raises ``ValidationError``."""
    if message.startswith(_OF_TEXTS):
        return _TEXTS.validate_json(message.removeprefix(_OF_TEXTS))
    if message.startswith((_OF_DELTAS, b"[")):  # the latter from a process of before, of texts alone
        return Deltas(_DELTAS.validate_json(message.removeprefix(_OF_DELTAS)))
    return _ADAPTER.validate_json(message)


def write(message: AnyMessage) -> bytes:
    """Write what is to be sent; what was not set of a message of the conversation stays so."""
    return message.model_dump_json(exclude_unset=isinstance(message, Told)).encode()


def write_deltas(entries: Sequence[tuple[int, int, Sequence[CarriedDelta]]]) -> bytes:
    """Write ``Deltas``."""
    return _OF_DELTAS + to_json(entries)


def write_texts(texts: Texts) -> bytes:
    """Write ``Texts``."""
    return _OF_TEXTS + to_json(texts)


def send_stops(bus: Bus, occupants: Iterable[Occupant], state: TurnState) -> None:
    """Send the processes of turns that are marked to be stopped a message, so that they stop at once."""
    for occupant in occupants:
        bus.send(occupant.inbox, write(Stop(turn_id=occupant.turn_id, state=state)))


def send_watch(bus: Bus, occupant: Occupant) -> None:
    """Ask the process of a turn to tell this one when the turn has given up its place."""
    bus.send(occupant.inbox, write(Watch(turn_id=occupant.turn_id, inbox=bus.inbox)))
