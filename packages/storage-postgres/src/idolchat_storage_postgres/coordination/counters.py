"""Rates and sums that processes count together: each counts at once, and tells the others a moment later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from uuid import UUID

import asyncpg
from pydantic_core import from_json, to_json

from idolchat_core import Counters, LeakyBuckets, StorageUnavailable
from idolchat_storage_postgres.coordination.member import Member
from idolchat_storage_postgres.database import Connection, Database

__all__ = ["PostgresCounters"]

log = logging.getLogger(__name__)

EXCHANGE_EVERY_S = 0.25
KEPT = 240
"""How many exchanges of an instance are kept for the others: a minute's."""

type _Sums = dict[str, dict[str, list[float]]]
"""By the name of a limit or sum and the key, what was added."""

_EXCHANGE = """
with told as (
  insert into idolchat.counted (instance_id, number, sums) select $1, $2, $3::bytea where $3::bytea is not null
  on conflict do nothing),
old as (delete from idolchat.counted where instance_id = $1 and number <= $2 - $4)
select instance_id, number, sums from idolchat.counted c
where instance_id <> $1 and number > coalesce((
  select x.number from unnest($5::uuid[], $6::bigint[]) x(id, number) where x.id = c.instance_id), 0)
order by instance_id, number
"""


class _Buckets(LeakyBuckets):
    """Tells what is added here."""

    def __init__(
        self, tell: Callable[[str, Sequence[float]], None], name: str, *, unit: str, limit: float, window_s: float
    ) -> None:
        super().__init__(name, unit=unit, limit=limit, window_s=window_s)
        self._tell = tell

    def add(self, key: Hashable, amount: float, now: float) -> None:
        super().add(key, amount, now)
        self._tell(str(key), (amount,))

    def hear(self, added: Mapping[str, Sequence[float]]) -> None:
        """Record what others have added."""
        now = asyncio.get_running_loop().time()
        for key, (amount,) in added.items():
            super().add(key, amount, now)


class PostgresCounters(Counters):
    """Exchanged by rows of the table ``counted``, as long as anything is counted at all."""

    lag_s = 2 * EXCHANGE_EVERY_S

    def __init__(self, database: Database, member: Member) -> None:
        self._database = database
        self._member = member
        self._session = database.session(waits_for_disk=False, by_key=True)
        self._buckets: dict[str, _Buckets] = {}
        self._hear: dict[str, Callable[[Mapping[str, Sequence[float]]], None]] = {}
        self._added: _Sums = {}
        self._untold: bytes | None = None
        self._number = 0
        self._heard: dict[UUID, int] | None = None
        self._is_wanted, self._is_stopping = asyncio.Event(), asyncio.Event()
        self._exchanging: asyncio.Task[None] | None = None

    def buckets(self, name: str, *, unit: str, limit: float, window_s: float = 60.0) -> LeakyBuckets:
        known = self._buckets.get(name)
        if known is None:
            tell = partial(self._add, f"rate {name}")
            known = self._buckets[name] = _Buckets(tell, name, unit=unit, limit=limit, window_s=window_s)
            self._listen(f"rate {name}", known.hear)
        return known

    def share(
        self, name: str, hear: Callable[[Mapping[str, Sequence[float]]], None]
    ) -> Callable[[str, Sequence[float]], None]:
        self._listen(f"sum {name}", hear)
        return partial(self._add, f"sum {name}")

    def start(self) -> None:
        """Exchange from now on what is counted."""
        self._exchanging = asyncio.create_task(self._exchange_on())

    async def close(self) -> None:
        """Publish what is left, and stop."""
        self._is_stopping.set()
        self._is_wanted.set()
        if self._exchanging is not None:
            await self._exchanging
        if self._added or self._untold is not None:
            await self._exchange()
        await self._session.close()

    def _listen(self, name: str, hear: Callable[[Mapping[str, Sequence[float]]], None]) -> None:
        self._hear[name] = hear
        self._is_wanted.set()

    def _add(self, name: str, key: str, amounts: Sequence[float]) -> None:
        of_name = self._added.setdefault(name, {})
        before = of_name.get(key)
        of_name[key] = [a + b for a, b in zip(before, amounts, strict=True)] if before else list(amounts)

    async def _exchange_on(self) -> None:
        await self._is_wanted.wait()
        while not self._is_stopping.is_set():
            await self._exchange()
            with suppress(TimeoutError):
                async with asyncio.timeout(EXCHANGE_EVERY_S):
                    await self._is_stopping.wait()

    async def _exchange(self) -> None:
        """Publish what was added here since the last time, and read what was added elsewhere."""
        if self._untold is None and self._added:
            self._number += 1
            self._untold, self._added = to_json(self._added), {}
        try:
            rows = await self._database.run(self._ask, session=self._session, patience_s=0)
        except StorageUnavailable as error:  # it is told again by the same number, for it may have arrived
            log.warning("what is counted cannot be told to the others yet", extra={"reason": str(error)})
            return
        self._untold = None
        self._take(rows)

    async def _ask(self, connection: Connection) -> list[asyncpg.Record]:
        heard = self._heard or {}
        given = (self._member.instance_id, self._number, self._untold, KEPT)
        return await connection.fetch(_EXCHANGE, *given, list(heard), list(heard.values()))

    def _take(self, rows: Sequence[asyncpg.Record]) -> None:
        is_first = self._heard is None  # what was counted before is in the ledger already
        heard = self._heard = self._heard or {}
        for row in rows:
            heard[row["instance_id"]] = row["number"]
            if is_first:
                continue
            for name, sums in from_json(row["sums"]).items():
                if (hear := self._hear.get(name)) is not None:
                    hear(sums)
