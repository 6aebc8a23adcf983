"""What memory costs: indexing a message, and asking while a million messages of others are there.

    python benchmarks/memory_cost.py [--others 1000000] [--semantic]

Texts are made of frequent English words, drawn so that few are said often, some 25 a message. Each other scope holds
588 messages in 20 sessions. Fifty of them are indexed as turns are; the others get the same rows under their own keys,
written by this benchmark alone, for a million messages take a quarter of an hour otherwise, and their vectors five
hours: each scope has vectors of the 588 messages that were encoded. Times are of one thread, wall and CPU: on a busy
machine only the CPU time tells anything.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any
from uuid import UUID

from idolchat_core import (
    PLACES_PER_SESSION,
    WEIGHT_BITS,
    MemoryIndex,
    MemoryMessage,
    MemoryScope,
    ScopeReader,
    Speaker,
)
from idolchat_memory.prompt.source import LIMIT
from idolchat_memory.recall import Recall, RecallQuery
from idolchat_memory.recall.thesaurus import load_thesaurus
from idolchat_memory.sqlite import open_sqlite_index
from idolchat_memory.sqlite.database import connect, scope_key, transaction

SCOPE_SIZE, SESSION_SIZE, WORDS = 588, 30, 25
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
QUERIES, APPENDS, TALKS = 500, 500, 50


class Texts:
    """Draws messages and questions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = load_thesaurus().words[:8000]
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(len(self._words))))

    def message(self, number: int) -> MemoryMessage:
        """Make a message of a scope."""
        said_at = START + timedelta(days=number // SESSION_SIZE, minutes=number % SESSION_SIZE)
        role: Speaker = "assistant" if number % 2 else "user"
        count = max(3, round(self._random.gauss(WORDS, 8)))
        return MemoryMessage(str(UUID(int=self._random.getrandbits(128))), number, role, "", said_at, self._text(count))

    def question(self) -> str:
        """Make a question of seven words that mean something."""
        return f"what did you say about {self._text(7)}?"

    def _text(self, count: int) -> str:
        return " ".join(self._random.choices(self._words, cum_weights=self._weights, k=count))


def scope_of(number: int) -> MemoryScope:
    """Name the scope of one of many users."""
    return MemoryScope(user_id=str(UUID(int=number)), character_id="yui")


async def fill(index: MemoryIndex, texts: Texts, scopes: int) -> None:
    """Index a conversation each of others."""
    for number in range(scopes):
        talk = [texts.message(position) for position in range(SCOPE_SIZE)]
        await index.replace(scope_of(number), UUID(int=number), talk, revision="1")


def multiply(path: Path, first: int, scopes: int) -> None:
    """Give so many scopes the rows of the ``first`` ones, and the vectors of the very first."""
    with closing(connect(path)) as database:
        database.execute("PRAGMA synchronous = OFF")
        written = [_Written(database, number) for number in range(1, first + 1)]
        with transaction(database, writes=True):
            for one in written[1:]:
                one.put_vectors(database, of=written[0])
        for number in range(first, scopes):
            with transaction(database, writes=True):
                written[number % first].put(database, number, vectors_of=written[0])


class _Written:
    """What is written of a scope, to be written again for another."""

    def __init__(self, database: sqlite3.Connection, number: int) -> None:
        def rows(columns: str, table: str) -> list[Any]:
            return database.execute(f"SELECT {columns} FROM {table} WHERE scope = ?", (number,)).fetchall()  # noqa: S608

        self._number = number
        [self._counts] = database.execute(
            "SELECT message_count, session_count, length FROM scopes WHERE number = ?", (number,)
        ).fetchall()
        self._sessions = rows("number, message_count, length, first_at, last_at, messages", "sessions")
        self._messages = rows("place, message_id, position, speaker, text", "messages")
        self._postings = rows("term, block, postings", "postings")
        self._vectors = [tokens for _, tokens in rows("place, tokens", "vectors")]

    def put_vectors(self, database: sqlite3.Connection, *, of: _Written) -> None:
        """Give the scope's messages another's vectors."""
        self._write_vectors(database, self._number, of._vectors, moved=0)

    def put(self, database: sqlite3.Connection, number: int, *, vectors_of: _Written) -> None:
        """Write it all again, for the user of this number."""
        scope, key = number + 1, scope_of(number)
        [[last]] = database.execute("SELECT max(number) FROM sessions").fetchall()
        sessions = last + 1 - self._sessions[0][0]
        places = sessions * PLACES_PER_SESSION
        values = (scope, key.user_id, scope_key(key), *self._counts)
        database.execute("INSERT INTO scopes VALUES (?, ?, ?, ?, ?, ?)", values)
        database.execute("INSERT INTO conversations VALUES (?, ?, ?, '1')", (scope, scope, UUID(int=number).bytes))
        database.executemany(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
            [(one + sessions, scope, scope, *facts) for one, *facts in self._sessions],
        )
        database.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)",
            [(scope, place + places, *said) for place, *said in self._messages],
        )
        moved = places << WEIGHT_BITS
        database.executemany(
            "INSERT INTO postings VALUES (?, ?, ?, ?)",
            [
                (scope, term, block, array("q", [one + moved for one in array("q", packed)]).tobytes())
                for term, block, packed in self._postings
            ],
        )
        self._write_vectors(database, scope, vectors_of._vectors, moved=places)

    def _write_vectors(self, database: sqlite3.Connection, scope: int, vectors: Sequence[bytes], *, moved: int) -> None:
        if vectors:
            pairs = zip(self._messages, vectors, strict=True)
            rows = [(scope, place + moved, tokens) for (place, *_), tokens in pairs]
            database.executemany("INSERT INTO vectors VALUES (?, ?, ?)", rows)
            database.execute("UPDATE sessions SET encoded_count = message_count WHERE scope = ?", (scope,))


async def append(index: MemoryIndex, texts: Texts) -> tuple[float, float]:
    """Append two messages at a time, as a turn does; give wall and CPU milliseconds a message."""
    conversation_id = UUID(int=1 << 40)
    first, *pairs = [[texts.message(2 * turn), texts.message(2 * turn + 1)] for turn in range(APPENDS + 1)]
    await index.replace(scope_of(1 << 40), conversation_id, first, revision="1")
    wall, cpu = time.perf_counter(), time.process_time()
    last = first[-1]
    for pair in pairs:
        await index.extend(conversation_id, pair, after=last.message_id, revision=pair[0].message_id)
        last = pair[-1]
    return (time.perf_counter() - wall) * 500 / APPENDS, (time.process_time() - cpu) * 500 / APPENDS


async def ask(index: MemoryIndex, recall: Recall, texts: Texts, scopes: int) -> tuple[list[float], list[float]]:
    """Ask in one scope after another, as turns do; give wall and CPU milliseconds of each, off the event loop."""
    wall, cpu = list[float](), list[float]()
    chance = random.Random(3)
    now = START + timedelta(days=30)
    for _ in range(QUERIES):
        query = RecallQuery(texts.question(), now=now, limit=LIMIT, budget_tokens=1000)
        started = time.perf_counter()
        scope = scope_of(chance.randrange(scopes))
        cpu.append(await index.read(scope, _timed(recall, scope, query)))
        wall.append(1000 * (time.perf_counter() - started))
    return wall, cpu


def _timed(recall: Recall, scope: MemoryScope, query: RecallQuery) -> Callable[[ScopeReader], float]:
    def work(reader: ScopeReader) -> float:
        started = time.thread_time()
        recall.answer(reader, scope, query)
        return 1000 * (time.thread_time() - started)

    return work


def percentiles(values: Sequence[float]) -> str:
    """Write the median and the 99th percentile."""
    cut = statistics.quantiles(values, n=100)
    return f"{statistics.median(values):.2f} / {cut[98]:.2f}"


async def measure(folder: Path, *, others: int, semantic: bool) -> None:
    """Measure, and print a table."""
    texts, scopes = Texts(1), max(1, others // SCOPE_SIZE)
    path, first = folder / "memory.sqlite", min(scopes, TALKS)
    rows = [("messages of others", f"{scopes * SCOPE_SIZE:,}")]
    async with open_sqlite_index(path) as index:
        await fill(index, texts, first)
    size = path.stat().st_size
    rows.append(("index: bytes a message", f"{size / (first * SCOPE_SIZE):.0f}"))
    if semantic:
        async with open_sqlite_index(path) as index:
            rows += await encode(index)
        rows.append(("vectors: bytes a message in the file", f"{(path.stat().st_size - size) / SCOPE_SIZE:.0f}"))
    multiply(path, first, scopes)
    async with open_sqlite_index(path) as index:
        wall, cpu = await append(index, texts)
        rows.append(("index: ms a message, wall / CPU", f"{wall:.2f} / {cpu:.2f}"))
        rows += await asked("query", index, Recall(index), texts, scopes)
        if semantic:
            from idolchat_memory.semantic import LateInteraction  # noqa: PLC0415 - needs the extra

            recall = Recall(index, reranker=LateInteraction.load())
            rows += await asked("semantic query", index, recall, texts, scopes)
    print("| | |\n|---|---:|")
    print("\n".join(f"| {name} | {value} |" for name, value in rows))


async def asked(name: str, index: MemoryIndex, recall: Recall, texts: Texts, scopes: int) -> Sequence[tuple[str, str]]:
    """Ask, and name the times."""
    await ask(index, recall, texts, scopes)  # so that what is read once is read
    wall, cpu = await ask(index, recall, texts, scopes)
    return [(f"{name}: wall ms, p50 / p99", percentiles(wall)), (f"{name}: CPU ms, p50 / p99", percentiles(cpu))]


async def encode(index: MemoryIndex) -> Sequence[tuple[str, str]]:
    """Encode the messages of the oldest scope."""
    from idolchat_memory.semantic import LateInteraction, encode_waiting  # noqa: PLC0415 - needs the extra

    late_interaction = LateInteraction.load()
    wall, cpu = time.perf_counter(), time.process_time()
    count = await encode_waiting(index, late_interaction, limit=SCOPE_SIZE)
    encoded = [1000 * (now - then) / count for now, then in ((time.perf_counter(), wall), (time.process_time(), cpu))]
    end = START + timedelta(days=365)

    def kept_vectors(reader: ScopeReader) -> list[bytes]:
        places = reader.places_between(START, end, limit=SCOPE_SIZE)
        return list(reader.vectors(places, late_interaction.encoder.name).values())

    kept = await index.read(scope_of(0), kept_vectors)
    return [
        ("encode: ms a message, wall / CPU", f"{encoded[0]:.1f} / {encoded[1]:.1f}"),
        ("vectors: bytes a message", f"{sum(map(len, kept)) / len(kept):.0f}"),
    ]


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=int, default=1_000_000, help="messages of other users")
    parser.add_argument("--semantic", action="store_true", help="late interaction too (the extra `semantic`)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), others=asked.others, semantic=asked.semantic))


if __name__ == "__main__":
    main()
