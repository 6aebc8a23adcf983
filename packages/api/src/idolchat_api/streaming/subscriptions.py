"""The turns that one socket is told of, side by side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from uuid import UUID

from idolchat_api.asgi.client_connection import ClientLeft
from idolchat_api.asgi.direct_writes import Outlet
from idolchat_api.errors import problem_from
from idolchat_api.streaming.websocket_frames import TurnFrames, problem_text
from idolchat_core.errors import IdolchatError, QueueFull
from idolchat_core.events.events import Event
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta

__all__ = ["Followers"]

logger = logging.getLogger(__name__)

MAX_TASKS = 64
"""How many turns a socket may follow, and stop, at once."""
BUSY_RETRY_S = 1.0


class Followers:
    """Tasks that pass a turn's events to ``tell``, each at the pace that the client reads.

    While they wait for a delta, it goes straight through ``outlet``, where there is one and the client can take it.
    """

    def __init__(self, tell: Callable[[str], Awaitable[None]], *, outlet: Outlet | None) -> None:
        self._tell = tell
        self._outlet = outlet
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[UUID, asyncio.Task[None]] = {}

    @property
    def newest(self) -> UUID | None:
        """Give the turn that was begun last, of those followed."""
        return next(reversed(self._turns), None)

    def __contains__(self, turn_id: UUID) -> bool:
        return turn_id in self._turns

    def check_room(self) -> None:
        """Raise ``QueueFull`` when there is no room for another."""
        if len(self._tasks) >= MAX_TASKS:
            raise QueueFull(f"this socket follows {MAX_TASKS} turns, which is the most", retry_after_s=BUSY_RETRY_S)

    def follow(self, turn: LiveTurn, *, after: int, client_message_id: str | None = None) -> asyncio.Task[None]:
        """Tell of a turn from the event after ``after`` on, in place of where it is told from now, until it is over."""
        before = self._turns.pop(turn.turn_id, None)
        frames = TurnFrames(turn, client_message_id=client_message_id)
        task = self._turns[turn.turn_id] = self.spawn(self._tell_all(turn, frames, after))
        if before is not None:
            before.cancel()  # only now, so that the turn has a reader all the time
        return task

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Do something beside the rest, for as long as the socket is there."""
        task = asyncio.create_task(self._until_client_leaves(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, *, timeout_s: float) -> None:
        """Wait until all is told, and stop what is not by then."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _tell_all(self, turn: LiveTurn, frames: TurnFrames, after: int) -> None:
        def take(first: int, events: Sequence[Event]) -> bool:
            deltas = [frames.delta(seq, event) for seq, event in enumerate(events, first) if isinstance(event, Delta)]
            return self._outlet is not None and len(deltas) == len(events) and self._outlet(deltas)

        try:
            async with aclosing(turn.follow(after=after, on_events=take)) as batches:
                async for first, events in batches:
                    for seq, event in enumerate(events, first):
                        await self._tell(frames.text(seq, event))
        finally:
            if self._turns.get(turn.turn_id) is asyncio.current_task():
                del self._turns[turn.turn_id]

    async def _until_client_leaves(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except ClientLeft:
            return
        except Exception:  # a fault of ours, which is no reason to close the socket on the other turns
            logger.exception("websocket turn failed")
            failed = IdolchatError("the server failed on a turn of this socket; its log says more")
            await self._tell(problem_text(problem_from(failed)))
