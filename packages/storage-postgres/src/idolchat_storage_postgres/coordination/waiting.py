"""Turns of this process that wait for their places, and who looks whether these have come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from idolchat_core import StorageUnavailable, TurnForgotten, TurnTakenOver
from idolchat_storage_postgres.database import Database

__all__ = ["WaitingTurns", "taken_over", "why_lost"]

log = logging.getLogger(__name__)

LOOK_AFTER_S, LOOK_AT_MOST_EVERY_S = 0.05, 0.25
"""How soon a turn that waits looks whether its place has come, and how often at most when that lasts."""

_PLACES = """
select t.turn_id, t.follows_begun,
  exists (select from idolchat.turns a where a.conversation_id = t.conversation_id and a.place < t.place) as is_waiting
from idolchat.turns t where t.turn_id = any($2) and t.instance_id = $1
"""
# Those that wait for turns of this process alone get their places when these are stopped.
_HAND_OVER = """
update idolchat.turns t set instance_id = '00000000-0000-0000-0000-000000000000'
where t.instance_id = $1 and t.turn_id = any($2) and exists (
  select from idolchat.turns a
  where a.conversation_id = t.conversation_id and a.place < t.place and a.instance_id <> $1)
returning t.turn_id
"""
# Others take the turns of an instance that they have removed before.
_IS_FORGOTTEN = """
select exists (select from idolchat.instances where id = $2)
  and not exists (select from idolchat.turns where turn_id = $1)
"""


class WaitingTurns:
    """Waits for places, of all turns together; ``on_lost`` is called with a turn that has no place any more."""

    def __init__(
        self, database: Database, *, instance_id: Callable[[], UUID], on_lost: Callable[[UUID], object]
    ) -> None:
        self._database = database
        self._instance_id = instance_id
        self._on_lost = on_lost
        self._places: dict[UUID, asyncio.Future[bool]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._may_have_come = asyncio.Event()

    async def reached(self, turn_id: UUID) -> bool:
        """Wait for the place of a turn; see ``TurnStore.reached``."""
        self._places[turn_id] = place = asyncio.get_running_loop().create_future()
        self.look_again()
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            has_begun: bool = await place
            return has_begun
        finally:
            self._places.pop(turn_id, None)

    def look_again(self) -> None:
        """Look at once: a turn has ended."""
        self._may_have_come.set()

    def fail(self) -> None:
        """Raise ``TurnTakenOver`` to all that wait."""
        for turn_id, place in self._places.items():
            _fail(place, taken_over(turn_id))

    async def hand_over(self) -> None:
        """Leave the turns that wait for those of other processes to these; see ``TurnStore.hand_over``."""
        asked = list(self._places)
        if not asked:
            return
        try:
            rows = await self._database.fetch(_HAND_OVER, self._instance_id(), asked)
        except StorageUnavailable:
            left = asked  # they are left when this process leaves
        else:
            left = [row["turn_id"] for row in rows]
        for turn_id in left:
            self._lose(turn_id)

    async def close(self) -> None:
        """Wait for nothing more."""
        self.fail()
        self._places.clear()
        self.look_again()
        if self._watching is not None:
            await self._watching

    async def _watch(self) -> None:
        pause_s = LOOK_AFTER_S
        while self._places:
            if self._may_have_come.is_set():
                pause_s = LOOK_AFTER_S
                self._may_have_come.clear()
            try:
                await self._look()
            except StorageUnavailable as error:
                log.warning("it cannot be told which turn comes next", extra={"reason": str(error)})
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._may_have_come.wait()
            pause_s = min(1.5 * pause_s, LOOK_AT_MOST_EVERY_S)

    async def _look(self) -> None:
        asked = list(self._places)
        rows = await self._database.fetch(_PLACES, self._instance_id(), asked)
        found = {row["turn_id"]: row for row in rows}
        for turn_id in asked:
            place, row = self._places.get(turn_id), found.get(turn_id)
            if place is None or place.done():
                continue
            if row is None:
                error = await why_lost(self._database, turn_id, self._instance_id())
                self._on_lost(turn_id)
                _fail(place, error)
            elif not row["is_waiting"]:
                place.set_result(row["follows_begun"])

    def _lose(self, turn_id: UUID) -> None:
        self._on_lost(turn_id)
        if (place := self._places.get(turn_id)) is not None:
            _fail(place, taken_over(turn_id))


def taken_over(turn_id: UUID) -> TurnTakenOver:
    """Return the error of a turn that others have taken over."""
    return TurnTakenOver(f"turn {turn_id} has no place in this process any more")


async def why_lost(database: Database, turn_id: UUID, instance_id: UUID) -> TurnTakenOver:
    """Return the error of a turn that had its place in this process, and has none there any more.

    Raises ``StorageUnavailable``.
    """
    if await database.fetchval(_IS_FORGOTTEN, turn_id, instance_id):
        return TurnForgotten(f"turn {turn_id} was removed")
    return taken_over(turn_id)


def _fail(place: asyncio.Future[bool], error: Exception) -> None:
    if not place.done():
        place.set_exception(error)
