"""The turns whose events are sent over one socket, concurrently."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from uuid import UUID

from idolchat_api.asgi.client_connection import ClientLeft
from idolchat_api.asgi.direct_writes import DirectWrite
from idolchat_api.errors import problem_from
from idolchat_api.streaming.websocket_frames import TurnFrames, problem_text
from idolchat_core.errors import IdolchatError, QueueFull
from idolchat_core.events.events import Batch
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta

__all__ = ["Subscriptions"]

logger = logging.getLogger(__name__)

MAX_TASKS = 64
"""How many turns a socket may follow, and stop, at once."""
BUSY_RETRY_S = 1.0
_DELTAS = (Delta, str)


class Subscriptions:
    """Tasks that send turns' events, each as fast as the client reads.

    A delta that comes while they wait goes through ``direct_write``, where there is one and the client has room.
    """

    def __init__(self, send: Callable[[str], Awaitable[None]], *, direct_write: DirectWrite | None) -> None:
        self._send = send
        self._direct_write = direct_write
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[UUID, asyncio.Task[None]] = {}

    @property
    def newest(self) -> UUID | None:
        """The turn that was subscribed last and is still running."""
        return next(reversed(self._turns), None)

    def __contains__(self, turn_id: UUID) -> bool:
        return turn_id in self._turns

    def check_room(self) -> None:
        """Raise ``QueueFull`` when no further turn can be subscribed."""
        if len(self._tasks) >= MAX_TASKS:
            raise QueueFull(f"this socket follows {MAX_TASKS} turns, which is the most", retry_after_s=BUSY_RETRY_S)

    def subscribe(self, turn: LiveTurn, *, after: int, client_message_id: str | None = None) -> asyncio.Task[None]:
        """Send a turn's events after ``after`` until it ends; replaces an earlier subscription to the turn."""
        before = self._turns.pop(turn.turn_id, None)
        frames = TurnFrames(turn, client_message_id=client_message_id)
        task = self._turns[turn.turn_id] = self.spawn(self._forward(turn, frames, after))
        if before is not None:
            before.cancel()  # only now, so that the turn has a reader all the time
        return task

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run a coroutine concurrently, until the socket closes."""
        task = asyncio.create_task(self._until_client_leaves(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self, *, timeout_s: float) -> None:
        """Wait until all events are sent, and cancel what is left after the timeout."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _forward(self, turn: LiveTurn, frames: TurnFrames, after: int) -> None:
        def take(first: int, events: Batch) -> bool:
            deltas = [frames.delta(seq, event) for seq, event in enumerate(events, first) if isinstance(event, _DELTAS)]
            return self._direct_write is not None and len(deltas) == len(events) and self._direct_write(deltas)

        try:
            async with aclosing(turn.follow(after=after, on_events=take)) as batches:
                async for first, events in batches:
                    for seq, event in enumerate(events, first):
                        await self._send(frames.text(seq, event))
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
            await self._send(problem_text(problem_from(failed)))
