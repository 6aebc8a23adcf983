"""One process among those that serve the database: its heartbeat, by the clock of the database alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from uuid import UUID

from idolchat_core import Instance, Membership, MembershipCounts, StorageUnavailable, new_id, process_address
from idolchat_storage_postgres.database import Connection, Database
from idolchat_storage_postgres.rows import plain_uuid

__all__ = ["Member", "Timing", "list_instances"]

log = logging.getLogger(__name__)

_BEAT = "update idolchat.instances set seen_at = clock_timestamp() where id = $1 returning true"
_JOIN = "insert into idolchat.instances (id, inbox, address, version, draining) values ($1, $2, $3, $4, $5)"
_DRAIN = "update idolchat.instances set draining = true where id = $1"
_LEAVE = "delete from idolchat.instances where id = $1"
_LIST = """
select i.id, i.address, i.version, i.started_at, i.draining,
  extract(epoch from clock_timestamp() - i.seen_at)::float8 as silent_s,
  coalesce(t.running, 0) as running, coalesce(t.waiting, 0) as waiting
from idolchat.instances i left join (
  select instance_id, count(*) filter (where place = first) as running, count(*) filter (where place > first) as waiting
  from (select instance_id, place, min(place) over (partition by conversation_id) as first from idolchat.turns) x
  group by instance_id) t on t.instance_id = i.id
order by i.started_at, i.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a process counts as dead, in seconds.

    Every ``beat_s`` it says that it lives. After ``doubt_s`` without an answer it takes no turns; after ``dead_s`` the
    others may take its turns over, and it stops them. Each answer is awaited for ``answer_s``.
    """

    beat_s: float = 1.0
    answer_s: float = 1.0
    again_s: float = 0.2
    doubt_s: float = 2.0
    dead_s: float = 3.0


class Member(Membership):
    """This process.

    One that was taken for dead is told so by its next beat. It is another instance from then on, and what it had has
    gone to others: ``on_expelled`` is called.
    """

    def __init__(self, database: Database, *, inbox: str, timing: Timing, on_expelled: Callable[[], None]) -> None:
        self.counts = MembershipCounts()
        self.inbox = inbox
        self.timing = timing
        self._database = database
        self._session = database.session(waits_for_disk=False, by_key=True)
        self._on_expelled = on_expelled
        self._id = new_id()
        self._has_joined, self._is_stopping = asyncio.Event(), asyncio.Event()
        self._is_draining = False
        self._seen_at = self._steady_since = float("-inf")
        self._beating: asyncio.Task[None] | None = None

    @property
    def instance_id(self) -> UUID:
        return self._id

    @property
    def silent_s(self) -> float:
        """How long ago the last beat began that the database answered."""
        return asyncio.get_running_loop().time() - self._seen_at

    @property
    def problem(self) -> str | None:
        silent_s = self.silent_s
        if silent_s <= self.timing.doubt_s:
            return None
        if not self._has_joined.is_set():
            return "this process has not reached the database yet"
        return (
            f"the database has not heard of this process for {silent_s:.0f} s, so that others may take over its turns"
        )

    @property
    def is_cut_off(self) -> bool:
        """Whether the others may have taken this process for dead by now."""
        return self.silent_s > self.timing.dead_s

    @property
    def may_judge(self) -> bool:
        """Whether it has beaten long enough without a gap to tell that another one has not.

        After an outage of the database, whoever comes back first would take all the others for dead.
        """
        is_steady = self._seen_at - self._steady_since >= self.timing.dead_s
        return is_steady and self.silent_s <= 2 * self.timing.beat_s

    async def start(self) -> None:
        """Join the others; where the database cannot be reached now, as soon as it can."""
        self._beating = asyncio.create_task(self._beat_on())
        with suppress(TimeoutError):
            async with asyncio.timeout(self.timing.answer_s):
                await self._has_joined.wait()

    async def pause(self) -> None:
        """Be silent, as a process that is stopped."""
        self._is_stopping.set()  # a statement that is cancelled costs the connection
        if self._beating is not None:
            await self._beating
            self._beating = None

    async def stop(self) -> None:
        """Leave; what it still has is left to the others."""
        await self.pause()
        try:
            await self._ask(_LEAVE, self._id)
        except StorageUnavailable:
            log.warning("this process could not tell the others that it leaves, and they find out")
        await self._session.close()

    async def drain(self) -> None:
        self._is_draining = True
        await self._database.run(lambda connection: connection.execute(_DRAIN, self._id), patience_s=1)

    async def _beat_on(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_stopping.is_set():
            began_at = loop.time()
            pause_s = self.timing.beat_s
            try:
                if self._has_joined.is_set() and await self._ask(_BEAT, self._id):
                    self.counts.beats += 1
                else:
                    await self._join()
                self._heard(began_at)
            except StorageUnavailable as error:
                pause_s = self.timing.again_s
                self.counts.failed_beats += 1
                log.warning("this process could not say that it lives", extra={"reason": str(error)})
            with suppress(TimeoutError):
                async with asyncio.timeout_at(began_at + pause_s):
                    await self._is_stopping.wait()

    def _heard(self, began_at: float) -> None:
        if began_at - self._seen_at > 2 * self.timing.beat_s:
            self._steady_since = began_at
        self._seen_at = began_at

    async def _join(self) -> None:
        if self._has_joined.is_set():
            log.error("the others have taken this process for dead; it begins anew", extra={"instance": str(self._id)})
            self.counts.expulsions += 1
            self._on_expelled()
            self._has_joined.clear()
        self._id = new_id()
        self._seen_at = float("-inf")
        release = version("idolchat-storage-postgres")
        await self._ask(_JOIN, self._id, self.inbox, process_address(), release, self._is_draining)
        self._has_joined.set()

    async def _ask(self, statement: str, *given: object) -> object:
        """Raise ``StorageUnavailable`` where there is no answer in time."""

        async def ask(connection: Connection) -> object:
            return await connection.fetchval(statement, *given)

        try:
            async with asyncio.timeout(self.timing.answer_s):
                return await self._database.run(ask, session=self._session, is_repeatable=False, patience_s=0)
        except TimeoutError:
            raise StorageUnavailable(f"the database did not answer within {self.timing.answer_s:g} s") from None


async def list_instances(database: Database) -> Sequence[Instance]:
    """List the processes that serve the database, the longest-running first. Raises ``StorageUnavailable``."""
    return [
        Instance(
            id=plain_uuid(row["id"]),
            address=row["address"],
            version=row["version"],
            started_at=row["started_at"],
            silent_s=row["silent_s"],
            is_draining=row["draining"],
            running=row["running"],
            waiting=row["waiting"],
        )
        for row in await database.fetch(_LIST)
    ]
