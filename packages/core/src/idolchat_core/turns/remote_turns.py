"""The turns of other processes: where they are, how they stand, to follow them and to stop them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import replace
from uuid import UUID

from pydantic import ValidationError

from idolchat_core.coordination.contract import Occupant
from idolchat_core.coordination.event_relay import EventRelay, copy_of
from idolchat_core.coordination.messages import Left, Stop, Watch, read_message, send_stops, send_watch, tell
from idolchat_core.errors import StorageUnavailable
from idolchat_core.events.events import Event, TurnEnded, TurnState, TurnStatus
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.turns.local_turns import LocalTurns
from idolchat_core.turns.lookup import find_stored_turn, state_of
from idolchat_core.turns.resources import EngineResources

__all__ = ["RemoteTurns"]

log = logging.getLogger(__name__)

BEHIND_S = 10.0
"""How far a copy of a turn of another process may be behind it."""
LOOK_EVERY_S = 0.05
"""How often it is looked whether a turn of another process that was stopped has ended, where that does not tell it."""


class RemoteTurns:
    """How they stand, and what is to become of them; ``local`` are the turns of this process, which others ask for."""

    def __init__(self, resources: EngineResources, local: LocalTurns) -> None:
        self._storage, self._turns, self._bus = resources.storage, resources.turns, resources.bus
        self._local = local
        self._awaited: dict[UUID, asyncio.Event] = {}
        """Turns of other processes that are to end, and whether their process has told that they have."""
        self.relay = EventRelay(self._bus, self._turns, find_here=self._begun_here, find_end=self._end)

    def receiving(self) -> AbstractAsyncContextManager[None]:
        """Act on what other processes send, until the end."""
        return self._bus.receive(self._hear)

    async def close(self) -> None:
        """Follow nothing more, and tell nothing more."""
        await self.relay.close()

    async def follow(self, turn_id: UUID, *, after: int = -1) -> LiveTurn | None:
        """Return a turn of another process, or one that is over and whose events another one keeps.

        None where none has it. Event ``after`` is waited for a moment. Raises ``StorageUnavailable``, also where a
        process that may have it does not answer.
        """
        turn = await self._find(turn_id)
        live = await self.relay.follow(turn) if turn is not None else None
        if live is None:
            live = await self._follow_finished(turn_id)
        if live is not None and live.event_count <= after:
            await _caught_up(live, after)
        return live

    async def _follow_finished(self, turn_id: UUID) -> LiveTurn | None:
        peers = await self._turns.peers()
        conversation_id = await self._storage.find_turn(turn_id) if peers else None
        if conversation_id is None:
            return None
        silent: StorageUnavailable | None = None
        for inbox in peers:
            try:
                live = await self.relay.follow(Occupant(turn_id, conversation_id, inbox, False, True))
            except StorageUnavailable as error:
                silent = error
                continue
            if live is not None:
                return live
        told = await self._turns.left_events(turn_id)
        if told is None and silent is not None:
            raise silent
        return copy_of(told) if told is not None else None

    async def leave(self, finished: Iterable[LiveTurn], *, kept_s: float) -> None:
        """Leave the events of turns that are over to the other processes: this one ends."""
        if await self._turns.peers():
            told = {live.turn_id: tell(live, 0, await _events_of(live)) for live in finished}
            await self._turns.leave_events(told, kept_s=kept_s)

    async def status(self, turn_id: UUID) -> TurnStatus | None:
        """Return how a turn of another process stands; None where none has it. Raises ``StorageUnavailable``."""
        turn = await self._find(turn_id)
        if turn is None:
            return None
        stored = await find_stored_turn(self._storage, turn_id, conversation_id=turn.conversation_id)
        state = TurnState.QUEUED if turn.is_waiting else TurnState.RUNNING
        if stored is None:
            return TurnStatus(turn_id=turn_id, conversation_id=turn.conversation_id, state=state)
        return replace(stored.status, state=state)

    async def stop(self, turn_id: UUID) -> Occupant | None:
        """Stop a turn, in whatever process it is, and return where it runs; None where it does not."""
        turn = await self._turns.stop(turn_id, TurnState.CANCELLED)
        if turn is not None:
            send_stops(self._bus, [turn], TurnState.CANCELLED)
        return turn

    async def gone(self, turn: Occupant) -> None:
        """Wait until a turn that is stopped has given up its place, in whatever process it is."""
        run = self._local.find(turn.turn_id)
        if run is not None:
            await run.over()
        elif turn.inbox != self._bus.inbox:
            send_watch(self._bus, turn)
        has_left = self._awaited.setdefault(turn.turn_id, asyncio.Event())
        try:
            while await self._turns.find(turn.turn_id) is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await has_left.wait()
                has_left.clear()
        finally:
            self._awaited.pop(turn.turn_id, None)

    async def ended(self, turn: Occupant) -> TurnStatus | None:
        """Return how a turn that is ``gone`` has ended; None where nothing is stored of it."""
        stored = await find_stored_turn(self._storage, turn.turn_id, conversation_id=turn.conversation_id)
        return stored.status if stored is not None else None

    async def _find(self, turn_id: UUID) -> Occupant | None:
        turn = await self._turns.find(turn_id)
        return turn if turn is not None and turn.inbox != self._bus.inbox else None

    def _hear(self, message: bytes) -> None:
        try:
            told = read_message(message)
        except ValidationError:
            log.warning("a message of another process is of no kind that is known here")
            return
        if isinstance(told, Stop):
            if (run := self._local.running.get(told.turn_id)) is not None:
                run.stop(told.state)
        elif isinstance(told, Watch):
            self._local.watch(told.turn_id, told.inbox)
        elif isinstance(told, Left):
            self._turns.look_again()
            if (awaited := self._awaited.get(told.turn_id)) is not None:
                awaited.set()
        else:
            self.relay.take(told)

    def _begun_here(self, turn_id: UUID) -> LiveTurn | None:
        run = self._local.find(turn_id)
        return run.live if run is not None and run.live.has_begun else None

    async def _end(self, turn: Occupant) -> TurnEnded | None:
        """Return how a turn of another process ended, as its conversation tells; None where that has no reply yet."""
        stored = await find_stored_turn(self._storage, turn.turn_id, conversation_id=turn.conversation_id)
        if stored is None or (reply := stored.reply) is None:
            return None
        return TurnEnded(state=state_of(reply), message=reply, usage=reply.usage, error=reply.error)


async def _events_of(live: LiveTurn) -> list[Event]:
    async with aclosing(live.follow()) as batches:
        return [event async for _, batch in batches for event in batch]


async def _caught_up(live: LiveTurn, after: int) -> None:
    """Wait for an event that another process may have told already. Raises ``StorageUnavailable``."""
    try:
        async with asyncio.timeout(BEHIND_S):
            while True:
                if live.event_count > after or live.is_over:
                    return
                live.expect_reader()
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise StorageUnavailable(
            f"the process of turn {live.turn_id} has not told of event {after} yet; ask again in a moment"
        ) from None
