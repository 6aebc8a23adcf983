"""A key begins one turn, however often and wherever it is sent."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from idolchat_core.coordination.contract import AlreadyEntered, Occupant
from idolchat_core.errors import StorageUnavailable
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.turns.local_turns import LocalTurns
from idolchat_core.turns.lookup import RETRYABLE
from idolchat_core.turns.plan import Plan, retry_id
from idolchat_core.turns.remote_turns import RemoteTurns
from idolchat_core.turns.runner import TurnRun, mismatch

__all__ = ["IdempotentStarts"]

LEFT_S, LEFT_PAUSE_S = 15.0, 0.2
"""How long, and how often, it is tried to join a turn whose process tells nothing: whether it is known to be gone or
not yet, others take its turns over within seconds."""


class IdempotentStarts:
    """Begins turns, or joins those that have begun, in this process or in another one."""

    def __init__(self, local: LocalTurns, remote: RemoteTurns) -> None:
        self._local, self._remote = local, remote

    async def begin(self, plan: Plan) -> LiveTurn:
        """Run a turn, or join the one that its key began; one whose process is silent, until it is taken over.

        Raises ``IdempotencyMismatch``, ``StorageUnavailable``, what keeps a turn from beginning, and ``AlreadyEntered``
        where the plan has no key, and nobody tells of the turn that has its place.
        """
        gives_up_at: float | None = None
        while True:
            known = self._local.newest(plan.turn_id) if plan.key is not None else None
            try:
                return await (self._attach(known, plan) if known else self._local.launch(plan))
            except AlreadyEntered as error:
                turn, is_first = error.occupant, gives_up_at is None
                if gives_up_at is None:
                    gives_up_at = time.monotonic() + LEFT_S
                if (live := await self._join(turn, plan)) is not None:
                    return live
                if plan.key is None:
                    raise
            if is_first:  # it may have ended meanwhile, and is told again at once
                continue
            if time.monotonic() > gives_up_at:
                raise StorageUnavailable(
                    f"turn {turn.turn_id} has its place still, and nobody who answers runs it; send again in a moment"
                )
            await asyncio.sleep(LEFT_PAUSE_S)

    async def _attach(self, run: TurnRun, plan: Plan) -> LiveTurn:
        """Join a turn that the same key began here; one that failed runs again. Raises ``AlreadyEntered``."""
        if run.live.fingerprint != plan.fingerprint:
            raise mismatch(plan.key or "")
        await run.live.begun()
        newest = self._local.newest(plan.turn_id)
        if newest is not None and newest is not run:
            return await self._attach(newest, plan)
        if run.live.is_over and run.live.state in RETRYABLE:
            error = run.live.status.error or {}
            if error.get("code") == StorageUnavailable.code and run.live.turn_id == plan.turn_id:
                return await self._local.launch(plan)  # its reply may be stored all the same: what is stored tells
            continues = run.live.reply_fields.get("continues")
            again = plan.again(run.live.user_message_id, turn_id=retry_id(run.live.turn_id), continues=continues)
            return await self._local.launch(again)
        return run.live

    async def _join(self, turn: Occupant, plan: Plan) -> LiveTurn | None:
        """Join a turn that has its place already; None where nobody tells of it, and it has a key to look again by."""
        run = self._local.find(turn.turn_id)
        if run is not None:
            with suppress(AlreadyEntered):  # that one is elsewhere, too
                await run.live.begun()
                return run.live
        try:
            live = await self._remote.follow(turn.turn_id)
        except StorageUnavailable:
            if plan.key is None:
                raise
            return None
        if live is not None and plan.key is not None and live.fingerprint != plan.fingerprint:
            raise mismatch(plan.key)
        return live
