"""One process takes part, from its first beat to its leave."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from idolchat_core import Bus, Coordination
from idolchat_storage_postgres.batch import Batches
from idolchat_storage_postgres.bus import NotifyBus
from idolchat_storage_postgres.coordination.counters import PostgresCounters
from idolchat_storage_postgres.coordination.member import Member, Timing
from idolchat_storage_postgres.coordination.turns import PostgresTurns
from idolchat_storage_postgres.database import Database

__all__ = ["taking_part"]


@asynccontextmanager
async def taking_part(
    database: Database,
    *,
    durable: Batches,
    relaxed: Batches,
    reading: Batches,
    bus: Bus | None,
    timing: Timing,
) -> AsyncGenerator[Coordination]:
    """Join the processes that serve a database, over ``bus`` or else NOTIFY; what runs at the end is theirs.

    ``durable`` and ``relaxed`` write in batches, ``reading`` reads; what the second has written may be lost with the
    machine.
    """
    async with AsyncExitStack() as stack:
        if bus is None:
            bus = await stack.enter_async_context(NotifyBus(database))
        turns = PostgresTurns(database, durable=durable, relaxed=relaxed, reading=reading)
        member = Member(database, inbox=bus.inbox, timing=timing, on_expelled=turns.expelled)
        turns.join(member)
        await member.start()
        stack.push_async_callback(member.stop)
        stack.push_async_callback(turns.close)
        counters = PostgresCounters(database, member)
        counters.start()
        stack.push_async_callback(counters.close)
        yield Coordination(turns=turns, bus=bus, counters=counters, membership=member)
