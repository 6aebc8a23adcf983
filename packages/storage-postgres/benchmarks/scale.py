"""What lists, pages, turns and searches take in a database with many conversations.

    python packages/storage-postgres/benchmarks/scale.py --conversations 1000000

It makes a PostgreSQL of its own, fills it, and prints milliseconds as its caller sees them, the server's and the
driver's together: first without the time in which either waited for a processor that others had, which an idle machine
does not take. Words are drawn as in a language: the n-th most frequent one about 1/n as often as the first.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from idolchat_core import ConversationFilter
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import PostgresStorage, open_postgres_storage
from idolchat_storage_postgres.testing import running_postgres

AT_ONCE = 10_000
WORDS = 40_000
PER_USER = 10
CHARACTERS = 1000
FILL_CONVERSATIONS = """
insert into idolchat.conversations
  (id, user_id, character_id, created_at, updated_at, count, version)
select md5('c' || n)::uuid, 'user-' || n % $4::int, 'character-' || n % $5::int, at, at, $3::int, 1
from generate_series($1::int, $2::int) n, lateral (select timestamptz '2026-01-01 00:00Z' + n * interval '10 s') x(at)
"""
FILL_MESSAGES = """
with said as (
  select c.id, c.user_id, c.character_id, position, c.updated_at + position * interval '1 s' as at,
    array(select 'w' || floor(power($4::int, random()))::int from generate_series(1, 25 + position % 2)) as words
  from generate_series($1::int, $2::int) n join idolchat.conversations c on c.id = md5('c' || n)::uuid,
    generate_series(0, $3::int - 1) position)
insert into idolchat.messages (conversation_id, position, id, turn_id, at, user_id, character_id, line, words)
select id, position, md5(id::text || position)::uuid::text, md5(id::text || position / 2)::uuid, at, user_id,
  character_id, json_build_object('id', md5(id::text || position)::uuid, 'role',
    case position % 2 when 0 then 'user' else 'assistant' end, 'content', array_to_string(words, ' '), 'timestamp',
    to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), array_to_tsvector(words)
from (
  select said.id, user_id, character_id, position, at, array(select distinct unnest(said.words)) as words from said) x
"""


async def main() -> None:
    """Fill a database and measure."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--conversations", type=int, default=100_000)
    options.add_argument("--messages", type=int, default=4, help="of each conversation")
    options.add_argument("--calls", type=int, default=500, help="of each kind")
    given = options.parse_args()
    memory = ["shared_buffers=512MB", "maintenance_work_mem=256MB", "max_wal_size=8GB", "work_mem=16MB"]
    with running_postgres(options=memory, fsync=False) as server:
        settings = PostgresSettings.model_validate({"url": server.url(), "timeout_s": 600})
        async with open_postgres_storage(settings) as storage:
            await fill(storage, given.conversations, given.messages)
            main = int((server.folder / "data" / "postmaster.pid").read_text().split("\n")[0])
            await measure(storage, given.conversations, given.messages, given.calls, main)


async def fill(storage: PostgresStorage, conversations: int, messages: int) -> None:
    """Write conversations in the database itself, which is quicker than to send them."""
    users = max(1, conversations // PER_USER)
    began = time.perf_counter()
    for first in range(0, conversations, AT_ONCE):
        last = min(first + AT_ONCE, conversations) - 1
        await storage.database.fetch(FILL_CONVERSATIONS, first, last, messages, users, CHARACTERS)
        await storage.database.fetch(FILL_MESSAGES, first, last, messages, WORDS)
        sys.stderr.write(f"\r{last + 1:,} conversations")
    await storage.database.fetch("vacuum analyze idolchat.conversations, idolchat.messages")
    size = (await storage.stats()).size_bytes or 0
    sys.stderr.write(f", {size / 1e9:.1f} GB, {time.perf_counter() - began:.0f} s\n")


async def measure(storage: PostgresStorage, conversations: int, messages: int, calls: int, main: int) -> None:
    """Print a table."""
    users = max(1, conversations // PER_USER)
    before = (await storage.list(limit=20)).next
    ids = [row["id"] for row in await storage.database.fetch("select id from idolchat.conversations limit 20000")]
    said = await storage.database.fetch("select turn_id from idolchat.messages limit 20000")
    turns = [row["turn_id"] for row in said]

    def user() -> ConversationFilter:
        return ConversationFilter(user_id=f"user-{random.randrange(users)}")

    def character() -> ConversationFilter:
        return ConversationFilter(character_id=f"character-{random.randrange(CHARACTERS)}")

    def chosen(of: list[UUID]) -> UUID:
        return random.choice(of)

    work: dict[str, Callable[[], Awaitable[object]]] = {
        "list 20 of a user": lambda: storage.list(user()),
        "list 20 of a character": lambda: storage.list(character()),
        "list 20 of all, the second page": lambda: storage.list(before=before),
        "newest page of 64": lambda: storage.read_page(chosen(ids), limit=64),
        "find a turn": lambda: storage.find_turn(chosen(turns)),
        "search of a user, frequent word": lambda: storage.search("w1", user()),
        "search of a user, rare word": lambda: storage.search(f"w{random.randrange(20_000, WORDS)}", user()),
        "search of all, frequent word": lambda: storage.search("w1"),
        "search of all, two words": lambda: storage.search("w20 w100"),
        "search of all, rare word": lambda: storage.search(f"w{random.randrange(20_000, WORDS)}"),
        "search of all, beginning of a word": lambda: storage.search("w3999*"),
    }
    sys.stdout.write(f"{conversations:,} conversations, {conversations * messages:,} messages\n\n")
    sys.stdout.write(
        "| call | p50 ms | p99 ms | with waits for a processor: p50 ms | p99 ms |\n|---|---:|---:|---:|---:|\n"
    )
    for name, call in work.items():
        taken = [await _timed(call, main) for _ in range(calls)]
        cells = [f"{_percentile(times, of):.2f}" for times in zip(*taken, strict=True) for of in (0.5, 0.99)]
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
        sys.stdout.flush()


def _percentile(times: Sequence[float], of: float) -> float:
    return sorted(times)[int(len(times) * of)]


async def _timed(call: Callable[[], Awaitable[object]], main: int) -> tuple[float, float]:
    """Return the ms of a call: without those in which this process or the database waited for a processor, and all."""
    waited_before, began = _waited_ms(main), time.perf_counter()
    await call()
    took = (time.perf_counter() - began) * 1000
    return max(0.0, took - _waited_ms(main) + waited_before), took


def _waited_ms(main: int) -> float:
    """Add up how long this thread, and the processes of a database that serve it, have waited for a processor."""
    waited = _waited_ns(Path("/proc/thread-self"))
    for child in Path(f"/proc/{main}/task/{main}/children").read_text().split():
        with suppress(FileNotFoundError, ProcessLookupError):  # it may have ended meanwhile
            process = Path("/proc", child)
            if b"127.0.0.1" in (process / "cmdline").read_bytes():  # for a client, and not for the database itself
                waited += _waited_ns(process)
    return waited / 1e6


def _waited_ns(process: Path) -> int:
    return int((process / "schedstat").read_text().split()[1])


if __name__ == "__main__":
    asyncio.run(main())
