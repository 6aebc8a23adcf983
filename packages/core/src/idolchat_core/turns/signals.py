"""What processes tell each other about turns, over the bus."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from idolchat_core.coordination.contract import Bus, Occupant
from idolchat_core.events.events import TurnState

__all__ = ["Stop", "send_stops"]


class Stop(BaseModel):
    """Have a turn end where it is, as ``state``."""

    model_config = ConfigDict(frozen=True)

    stop: UUID
    state: TurnState


def send_stops(bus: Bus, occupants: Iterable[Occupant], state: TurnState) -> None:
    """Have turns stop at once, where their store has noted that they are to."""
    for occupant in occupants:
        bus.send(occupant.inbox, Stop(stop=occupant.turn_id, state=state).model_dump_json().encode())
