"""What a delta costs that somebody reads at another server, and how late it comes; and how fast a cancel gets there.

    python -m benchmarks.remote_readers [--bus postgres] [--turns 500] [--deltas 64] [--every-ms 15] [--rounds 3]

Two processes and a PostgreSQL or a Redis of its own: one lets turns say deltas of a dozen letters, as providers do, the
other follows all of them. Each is measured with readers and without, so that what making the deltas costs is left out;
the encoding for clients, which is the same wherever a turn runs, is not made. The lag is from `say` to where a reader
has the text. A stop is timed from its sending to its arrival at the process that runs the turn. `here` is what the same
readers cost, each delta, where they read in the process that runs the turns; that is part of `all`, too. Prints a
Markdown row of medians; a round takes some 25 seconds, most of it for starting processes and for stops, which come one
by one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import sys
import time
from array import array
from collections.abc import AsyncGenerator, Callable, Iterator, MutableSequence, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from typing import Literal
from uuid import UUID

import uvloop
from pydantic import SecretStr

from idolchat_bus_redis import RedisSettings
from idolchat_bus_redis.bus import RedisBus
from idolchat_bus_redis.testing import running_redis
from idolchat_core import Bus, Delta, TurnEnded, TurnState, new_id, utc_now
from idolchat_core.coordination.contract import Occupant
from idolchat_core.coordination.event_relay import EventRelay
from idolchat_core.coordination.local import StoredTurns
from idolchat_core.coordination.messages import Left, Stop, Watch, read_message, write
from idolchat_core.events.events import Batch
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.testing import InMemoryStorage
from idolchat_storage_postgres.bus import NotifyBus
from idolchat_storage_postgres.database import Database
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.testing import running_postgres

TICKS = os.sysconf("SC_CLK_TCK")
type Readers = Literal["elsewhere", "here", "none"]
READERS: tuple[Readers, ...] = ("elsewhere", "here", "none")
STOPS, STOP_EVERY_S = 100, 0.03
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done, over a bus at an address."""

    bus: str
    address: str
    turns: int
    deltas: int
    every_s: float
    readers: Readers


def open_bus(plan: Plan) -> AbstractAsyncContextManager[Bus]:
    if plan.bus == "redis":
        return RedisBus(RedisSettings(url=SecretStr(plan.address)))
    return NotifyBus(Database(PostgresSettings(url=SecretStr(plan.address))))


def collect_as_servers_do() -> None:
    """Set the collector of cycles as a server has it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@asynccontextmanager
async def remote(
    plan: Plan, find_here: Callable[[UUID], LiveTurn | None], on_stop: Callable[[UUID], None]
) -> AsyncGenerator[EventRelay]:
    """Join the bus, as a server does."""

    async def find_end(_: Occupant) -> TurnEnded | None:
        return None

    async with open_bus(plan) as bus:
        turns = EventRelay(bus, StoredTurns(InMemoryStorage()), find_here=find_here, find_end=find_end)

        def hear(message: bytes) -> None:
            told = read_message(message)
            if isinstance(told, Stop):
                on_stop(told.turn_id)
            elif not isinstance(told, Watch | Left):
                turns.take(told)

        async with bus.receive(hear):
            yield turns
            await turns.close()


async def own(plan: Plan, pipe: Connection) -> float:
    """Run the turns, and return the CPU that it took, in seconds."""
    lives = [a_turn() for _ in range(plan.turns)]
    by_id = {live.turn_id: live for live in lives}
    stopped: list[float] = []
    async with remote(plan, by_id.get, lambda _: stopped.append(time.monotonic())) as turns:
        pipe.send((turns.bus.inbox, list(by_id)))
        await told(pipe)
        collect_as_servers_do()
        loop = asyncio.get_running_loop()
        arrived = [array("d", bytes(8 * (plan.deltas + 2))) for _ in lives]
        here = zip(lives, arrived, strict=True) if plan.readers == "here" else ()
        reading = [asyncio.create_task(follow(live, times)) for live, times in here]
        await asyncio.sleep(0)
        before = time.process_time()
        began_at = loop.time()
        for number in range(plan.deltas):
            for live in lives:
                live.say(Delta(f"{time.monotonic():.6f} "))
            if number + 1 < plan.deltas:
                await asyncio.sleep(max(0.0, began_at + (number + 1) * plan.every_s - loop.time()))
        for live in lives:
            live.end(TurnEnded(state=TurnState.COMPLETED))
        await asyncio.gather(*reading)
        await told(pipe)  # all is read
        took_s = time.process_time() - before
        pipe.send(took_s)
        await told(pipe)  # all stops are sent
        pipe.send(stopped)
    return took_s


async def read(
    plan: Plan, pipe: Connection, inbox: str, ids: Sequence[UUID], server_pids: Callable[[], list[int]]
) -> tuple[float, float, list[float], list[float]]:
    """Follow the turns; return the CPU that it took here and at the server, the lags, and when stops were sent."""
    lives: list[LiveTurn] = []
    arrived = [array("d", bytes(8 * (plan.deltas + 2))) for _ in ids]
    async with remote(plan, lambda _: None, lambda _: None) as turns:
        reading = []
        for turn_id, times in zip(ids, arrived, strict=True) if plan.readers == "elsewhere" else ():
            live = await turns.follow(Occupant(turn_id, turn_id, inbox, False, True))
            assert live is not None
            reading.append(asyncio.create_task(follow(live, times)))  # at once, for one that nobody reads is left
            lives.append(live)
        await asyncio.sleep(0)
        collect_as_servers_do()
        before, server_before = time.process_time(), cpu_of(server_pids())
        pipe.send("begin")
        await asyncio.gather(*reading)
        if not reading:
            await asyncio.sleep(plan.deltas * plan.every_s)
        took_s = time.process_time() - before
        server_s = cpu_of(server_pids()) - server_before
        pipe.send("read")
        sent = []
        for _ in range(STOPS if reading else 0):
            sent.append(time.monotonic())
            turns.bus.send(inbox, write(Stop(turn_id=ids[0], state=TurnState.CANCELLED)))
            await asyncio.sleep(STOP_EVERY_S)
        pipe.send("stopped")
    return (
        took_s,
        server_s,
        [lag for live, times in zip(lives, arrived, strict=False) for lag in lags_of(live, times)],
        sent,
    )


def lags_of(live: LiveTurn, arrived: Sequence[float]) -> Iterator[float]:
    """Give how late each delta of a turn was; those of a batch came when its first did."""
    at, seq = 0.0, 0
    while events := live.events_since(seq):
        for event in events:
            at = arrived[seq] or at
            seq += 1
            if isinstance(event, Delta):
                yield at - float(event.content)


async def follow(live: LiveTurn, arrived: MutableSequence[float]) -> None:
    """Read as those who stream do, and note by the first ``seq`` of each batch when it came."""

    def take(first: int, events: Batch) -> bool:
        if isinstance(events[-1], TurnEnded):
            return False
        arrived[first] = time.monotonic()
        return True

    async with aclosing(live.follow(on_events=take)) as batches:
        async for first, _ in batches:
            arrived[first] = time.monotonic()


def a_turn() -> LiveTurn:
    live = LiveTurn(
        turn_id=new_id(),
        conversation_id=new_id(),
        user_id=None,
        user_message_id=str(new_id()),
        message_id=str(new_id()),
        model="mock",
        created_at=utc_now(),
        on_last_reader_gone=lambda: None,
    )
    live.begin()
    return live


async def told(pipe: Connection) -> object:
    """Wait for what the other process says."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(pipe.fileno(), arrived.set)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await arrived.wait()
    finally:
        loop.remove_reader(pipe.fileno())
    return pipe.recv()


def as_owner(plan: Plan, pipe: Connection) -> None:
    uvloop.run(own(plan, pipe))


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU in seconds of owner, reader and server, and lags in seconds."""

    owner: float
    reader: float
    server: float
    lags: list[float]
    stops: list[float]


def measure(plan: Plan, server_pids: Callable[[], list[int]]) -> Measured:
    """Run it once."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    owner = multiprocessing.get_context("spawn").Process(target=as_owner, args=(plan, theirs))
    owner.start()
    inbox, ids = ours.recv()
    reader_s, server_s, lags, sent = uvloop.run(read(plan, ours, inbox, ids, server_pids))
    owner_s = ours.recv()
    arrived = ours.recv()
    owner.join()
    return Measured(owner_s, reader_s, server_s, lags, [b - a for a, b in zip(sent, arrived, strict=False)])


def cpu_of(pids: Sequence[int]) -> float:
    """Add up the CPU time of processes, in seconds; one that has ended counts in its parent."""
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / TICKS


def tree_of(pid: int) -> list[int]:
    """List a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


@contextmanager
def broker(bus: str) -> Iterator[tuple[str, Callable[[], list[int]]]]:
    """Run what carries the messages; give its address, and the processes that it consists of."""
    if bus == "redis":
        with running_redis() as redis:
            yield redis.url, lambda: tree_of(redis.pid)
    else:
        with running_postgres() as postgres:
            main = int((postgres.folder / "data" / "postmaster.pid").read_text().split()[0])
            yield postgres.url(), lambda: tree_of(main)


def us_each(seconds: Sequence[float], idle: Sequence[float], deltas: int) -> float:
    return 1e6 * (median(seconds) - median(idle)) / deltas


def percentile_ms(values: Sequence[float], percent: int) -> float:
    return 1000 * quantiles(values, n=100)[percent - 1]


def main() -> None:
    """Measure, and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bus", choices=["postgres", "redis"], default="postgres")
    options.add_argument("--turns", type=int, default=500)
    options.add_argument("--deltas", type=int, default=64)
    options.add_argument("--every-ms", type=float, default=15.0)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with broker(given.bus) as (address, pids):
        plans = [
            Plan(given.bus, address, given.turns, given.deltas, given.every_ms / 1000, readers) for readers in READERS
        ]
        rounds = [[measure(plan, pids) for plan in plans] for _ in range(given.rounds)]
    with_readers, here, without = zip(*rounds, strict=True)
    count = given.turns * given.deltas
    owner, reader, server = (
        us_each([getattr(one, who) for one in with_readers], [getattr(one, who) for one in without], count)
        for who in ("owner", "reader", "server")
    )
    read_here = us_each([one.owner for one in here], [one.owner for one in without], count)
    lags = [lag for one in with_readers for lag in one.lags]
    stops = [stop for one in with_readers for stop in one.stops]
    sys.stdout.write(
        "| bus | turns | us a delta: owner | reader | server | all | here | lag ms p50 / p99 | stop ms p50 / p99 |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        f"| {given.bus} | {given.turns} | {owner:.1f} | {reader:.1f} | {server:.1f} | {owner + reader + server:.1f} |"
        f" {read_here:.1f} |"
        f" {percentile_ms(lags, 50):.1f} / {percentile_ms(lags, 99):.1f} |"
        f" {percentile_ms(stops, 50):.1f} / {percentile_ms(stops, 99):.1f} |\n"
    )


if __name__ == "__main__":
    main()
