"""A conversation in which another server of the storage runs a turn."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from idolchat_api import Caller
from idolchat_core import IdolchatError, LiveTurn

__all__ = ["turn_elsewhere"]


async def turn_elsewhere(caller: Caller, conversation_id: UUID) -> LiveTurn | None:
    """Return the newest turn that another server has in a conversation of the caller; None where there is none.

    A server that does not answer counts as none: its turn is taken over, and what follows waits for that.
    """
    coordination = caller.service.coordination
    if coordination.membership is None:
        return None
    for turn in reversed(await coordination.turns.occupants(conversation_id)):
        if turn.inbox != coordination.bus.inbox:
            with suppress(IdolchatError):
                live = await caller.service.turns.find(turn.turn_id)
                return None if live.is_over else live
    return None
