"""Turns for the tests of a store of turns: entered, begun, left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

from idolchat_core.coordination.contract import NewMessages, OnBusy, TurnsAhead, TurnStore, UnfinishedTurn
from idolchat_core.models import Message, new_id
from idolchat_core.spending.ledger_lines import NAMESPACE
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import a_message

__all__ = [
    "OpenTurnStore",
    "a_running_turn",
    "an_unfinished_turn",
    "begin",
    "begin_at_once",
    "enter",
    "left_to",
    "lines_of",
]

type OpenTurnStore = Callable[[], Awaitable[TurnStore]]
"""Opens the store of turns of another process."""


def an_unfinished_turn(conversation_id: UUID, **fields: Any) -> UnfinishedTurn:
    """Make a turn that has said nothing yet."""
    ids = {"turn_id": new_id(), "user_message_id": new_id(), "message_id": new_id()}
    return UnfinishedTurn(**{**ids, "conversation_id": conversation_id, **fields})


async def enter(turns: TurnStore, conversation_id: UUID, turn_id: UUID, **how: Any) -> list[UUID]:
    """Enter a turn, which waits where others are ahead, and return their ids."""
    how = {"on_busy": OnBusy.ENQUEUE, "max_waiting": 8, **how}
    return [occupant.turn_id for occupant in await turns.enter(conversation_id, turn_id, **how)]


async def begin(
    turns: TurnStore, conversation_id: UUID, turn_id: UUID, call: MeteredCall, *messages: Message, count: int
) -> str | None:
    """Begin a turn with messages in a conversation that holds ``count``, and return the revision."""
    write = NewMessages(messages, count, messages[-1].timestamp)
    describe = partial(an_unfinished_turn, conversation_id, turn_id=turn_id)
    revision = await turns.begin(conversation_id, turn_id, write, call=call, describe=describe)
    await call.written()
    return revision


async def a_running_turn(turns: TurnStore, conversation_id: UUID, call: MeteredCall, **fields: Any) -> UnfinishedTurn:
    """Enter, begin and save a turn in a conversation that holds two messages."""
    turn = an_unfinished_turn(conversation_id, **fields)
    await enter(turns, conversation_id, turn.turn_id)
    await begin(turns, conversation_id, turn.turn_id, call, a_message("Sing!"), count=2)
    await turns.save([turn])
    return turn


async def begin_at_once(
    turns: TurnStore,
    conversation_id: UUID,
    turn_id: UUID,
    call: MeteredCall,
    *,
    count: int = 2,
    on_busy: OnBusy = OnBusy.ENQUEUE,
    has_entered: bool = False,
) -> list[UUID]:
    """Enter a turn unless it has, begin it with a message, and return the ids of those ahead: none where it began."""
    if not has_entered:
        ahead = await enter(turns, conversation_id, turn_id, on_busy=on_busy, begins_at_once=True)
        if ahead:
            return ahead
    try:
        await begin(turns, conversation_id, turn_id, call, a_message("Sing!"), count=count)
    except TurnsAhead as others:
        return [occupant.turn_id for occupant in others.ahead]
    return []


async def left_to(successor: OpenTurnStore) -> list[UnfinishedTurn]:
    """Return what a process that comes after one that died takes over."""
    return list(await (await successor()).take_over())


async def lines_of(storage: Storage, call: MeteredCall) -> list[bytes]:
    """Find the lines of a call in the ledger."""
    if call.facts is None:
        raise AssertionError("the call is open")
    log = await storage.read_log(NAMESPACE, call.facts.log)
    return [line for line in log.splitlines() if str(call.facts.call_id).encode() in line]
