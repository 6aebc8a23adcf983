"""The turns of this process: run, found by their ids, and kept for a while when they are over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from idolchat_core.coordination.checkpoints import unfinished
from idolchat_core.coordination.contract import AlreadyEntered, Occupant, UnfinishedTurn
from idolchat_core.coordination.messages import Left, write
from idolchat_core.events.events import TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.turns.plan import Plan, retry_id
from idolchat_core.turns.request import OnDisconnect
from idolchat_core.turns.resources import EngineResources
from idolchat_core.turns.retention import FinishedTurns
from idolchat_core.turns.runner import TurnRun

__all__ = ["LocalTurns"]

_AT_ONCE = 64
"""Replies that are described before others have a turn on the event loop."""


class LocalTurns:
    """``check`` raises what keeps any turn from beginning now."""

    def __init__(self, resources: EngineResources, *, check: Callable[[], None]) -> None:
        self._resources = resources
        self._check = check
        settings = resources.settings
        self.running: dict[UUID, TurnRun] = {}
        """Those that are queued or running, by their ids."""
        self.finished = FinishedTurns(kept_s=settings.turn_retention_s, max_bytes=settings.turn_retention_bytes)
        self.tasks: set[asyncio.Task[None]] = set()
        """What is to end before the process does."""
        self._watchers: dict[UUID, set[str]] = {}
        """The inboxes of other processes that wait for turns to end."""

    async def launch(self, plan: Plan) -> LiveTurn:
        """Run a turn, and return it when it has begun.

        Raises what keeps it from beginning: ``AlreadyEntered`` where it has its place already, which one of a new id
        has not.
        """
        self._check()
        run = TurnRun(self._resources, plan, renames=self._rename)
        self.running[plan.turn_id] = run
        task = run.spawn(self._over)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        try:
            await run.live.begun()
        except asyncio.CancelledError:
            if plan.on_disconnect is OnDisconnect.CANCEL:
                run.stop(TurnState.CANCELLED)
            raise
        return run.live

    def find(self, turn_id: UUID) -> TurnRun | None:
        """Find a turn that runs, or that is over and whose events are kept."""
        return self.running.get(turn_id) or self.finished.get(turn_id)

    def newest(self, turn_id: UUID) -> TurnRun | None:
        """Find the run that a key stands for now: the one it began, or the last that was run again in its place."""
        run = following = self.find(turn_id)
        while following is not None:
            run, turn_id = following, retry_id(turn_id)
            following = self.find(turn_id)
        return run

    def watch(self, turn_id: UUID, inbox: str) -> None:
        """Tell another process when a turn is over."""
        if turn_id in self.running:
            self._watchers.setdefault(turn_id, set()).add(inbox)
        else:
            self._tell_over(turn_id, inbox)

    async def grown(self) -> Sequence[UnfinishedTurn]:
        """Describe the running turns that have said more since they were saved."""
        grown: list[UnfinishedTurn] = []
        for number, run in enumerate(list(self.running.values()), 1):
            length = len(run.live.reply.content)
            if length != run.saved_length and not run.live.is_over:
                run.saved_length = length
                grown.append(unfinished(run.live))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return grown

    def _rename(self, run: TurnRun, turn_id: UUID, *, is_over: bool = False) -> None:
        """Know a turn by another id from now on; ``is_over`` says that this one is only to be told again.

        Raises ``AlreadyEntered`` where one of that id runs, or is kept.
        """
        if turn_id in self.running or (is_over and self.finished.get(turn_id) is not None):
            inbox = self._resources.bus.inbox
            raise AlreadyEntered(Occupant(turn_id, run.conversation_id, inbox, False, False))
        del self.running[run.live.turn_id]
        self.running[turn_id] = run

    def _over(self, run: TurnRun) -> None:
        turn_id = run.live.turn_id
        del self.running[turn_id]
        for inbox in self._watchers.pop(turn_id, ()):
            self._tell_over(turn_id, inbox)
        if run.live.has_begun:
            self.finished.add(run)

    def _tell_over(self, turn_id: UUID, inbox: str) -> None:
        self._resources.bus.send(inbox, write(Left(turn_id=turn_id)))
