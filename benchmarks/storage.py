"""What a turn costs local storage: against the length of the conversation, and against how many talk at once.

    python benchmarks/storage.py [DIR] [--quick]

The newest page is read after the appends, when each conversation has some 520 messages more.

Works in a new folder below DIR (default: the system's temporary folder), which is to be on the disk in question, and
prints Markdown tables. Bytes are those that this process asked the kernel to read and write (proc(5), rchar and
wchar), index included, so they are only counted on Linux; CPU is user and system time of the whole process.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from idolchat_core.models import Conversation, Message, new_id, utc_now
from idolchat_core.storage.contract import Storage
from idolchat_storage_local import LocalSettings, open_local_storage

LENGTHS = (10, 100, 1_000, 10_000, 100_000)
WRITERS = (1, 8, 64)
PAGE_SIZE = 50
QUESTION = "Tell me about your next concert, please! " * 4
REPLY = "word ✨ " * 200


class Cost(NamedTuple):
    """What so many calls took; the times are in seconds."""

    calls: int
    wall_s: float
    cpu_s: float
    read_bytes: int
    written_bytes: int

    def row(self) -> list[str]:
        each = (self.read_bytes / self.calls, self.written_bytes / self.calls)
        times = (self.cpu_s / self.calls * 1e6, self.wall_s / self.calls * 1e6)
        return [f"{value:,.0f}" for value in (*each, *times)]


class Meter:
    """Measures what happens between ``with`` and its end."""

    def __init__(self, calls: int) -> None:
        self._calls = calls

    def __enter__(self) -> Meter:
        self._before = _now()
        return self

    def __exit__(self, *_: object) -> None:
        self._after = _now()

    @property
    def cost(self) -> Cost:
        wall_s, cpu_s, read_bytes, written_bytes = (
            after - before for before, after in zip(self._before, self._after, strict=True)
        )
        return Cost(self._calls, wall_s, cpu_s, int(read_bytes), int(written_bytes))


def _now() -> tuple[float, float, float, float]:
    read_bytes, written_bytes = _io()
    return time.perf_counter(), time.process_time(), read_bytes, written_bytes


def _io() -> tuple[int, int]:
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return 0, 0
    values = dict(line.split(": ") for line in lines)
    return int(values["rchar"]), int(values["wchar"])


def a_message(number: int) -> Message:
    role, content = ("user", QUESTION) if number % 2 == 0 else ("assistant", REPLY)
    return Message(id=new_id(), role=role, content=content, timestamp=utc_now(), turn_id=new_id())


def a_conversation(length: int) -> Conversation:
    now = utc_now()
    messages = tuple(map(a_message, range(length)))
    return Conversation(
        id=new_id(), created_at=now, user_id=new_id(), character_id=new_id(), messages=messages, updated_at=now
    )


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[Storage]:
    """Open storage and let its first look through the folder end, which is no part of a turn."""
    async with open_local_storage(LocalSettings(data_dir=folder)) as storage:
        await storage.list(limit=1)
        yield storage


async def append(storage: Storage, conversation: Conversation, start: int, times: int) -> None:
    for number in range(start, start + times):
        message = a_message(number)
        await storage.append(conversation.id, [message], expected_count=number, updated_at=message.timestamp)


async def against_length(folder: Path, lengths: Sequence[int], times: int) -> None:
    rows: dict[str, list[list[str]]] = {"append": [], "first append after a start": [], "newest page": []}
    for length in lengths:
        conversation = a_conversation(length)
        async with opened(folder) as storage:
            await storage.put(conversation)
        async with opened(folder) as storage:
            with Meter(1) as first:
                await append(storage, conversation, length, 1)
            await append(storage, conversation, length + 1, 20)
            with Meter(times) as appends:
                await append(storage, conversation, length + 21, times)
            with Meter(times) as pages:
                for _ in range(times):
                    await storage.read_page(conversation.id, limit=PAGE_SIZE)
        for name, meter in zip(rows, (appends, first, pages), strict=True):
            rows[name].append([f"{length:,}", *meter.cost.row()])
        del conversation
    for name, cells in rows.items():
        title = f"{name} of {PAGE_SIZE}" if name == "newest page" else name
        table(f"One {title}", ["messages before", "bytes read", "bytes written", "CPU µs", "wall µs"], cells)


async def against_writers(folder: Path, writers: Sequence[int], turns: int) -> None:
    rows = []
    for count in writers:
        async with opened(folder) as storage:
            conversations = [a_conversation(10) for _ in range(count)]
            await asyncio.gather(*map(storage.create, conversations))
            each = max(turns // count, 10)
            with Meter(each * count) as meter:
                await asyncio.gather(*(append(storage, conversation, 10, each * 2) for conversation in conversations))
        cost = meter.cost
        per_turn = (cost.cpu_s / cost.calls * 1e6, cost.wall_s / cost.calls * count * 1e3)
        rows.append([f"{count}", f"{cost.calls / cost.wall_s:,.0f}", f"{per_turn[0]:,.0f}", f"{per_turn[1]:,.2f}"])
    table(
        "Turns of two durable appends, each writer in a conversation of its own",
        ["writers", "turns/s", "CPU µs/turn", "wall ms/turn"],
        rows,
    )


def table(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n**{title}**\n")
    print(f"| {' | '.join(names)} |")
    print(f"|{' ---: |' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dir", nargs="?", type=Path, help="folder on the disk to measure")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    arguments = parser.parse_args()
    lengths, times, turns = (LENGTHS[:3], 50, 100) if arguments.quick else (LENGTHS, 500, 2_000)
    parts: Sequence[Callable[[Path], object]] = (
        lambda folder: asyncio.run(against_length(folder, lengths, times)),
        lambda folder: asyncio.run(against_writers(folder, WRITERS, turns)),
    )
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="idolchat-", dir=arguments.dir) as folder:
            part(Path(folder))


if __name__ == "__main__":
    main()
