"""What memory costs: indexing a message, and asking while a million messages of others are there.

    python benchmarks/memory_cost.py [--others 1000000] [--semantic]

Texts are made of frequent English words, drawn so that few are said often, some 25 a message, and of a user's own
words. Each other scope holds 588 messages in 20 sessions. Times are of one thread, wall and CPU: on a busy machine
only the CPU time tells anything.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from uuid import UUID

from idolchat_core import MemoryIndex, MemoryMessage, MemoryScope, ScopeReader, Speaker
from idolchat_memory.prompt.source import LIMIT
from idolchat_memory.recall import Recall, RecallQuery
from idolchat_memory.recall.thesaurus import load_thesaurus
from idolchat_memory.sqlite import open_sqlite_index

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
    """Index whole conversations of others, some of whom say the same."""
    talks = [[texts.message(position) for position in range(SCOPE_SIZE)] for _ in range(min(scopes, TALKS))]
    for number in range(scopes):
        await index.replace(scope_of(number), UUID(int=number), talks[number % TALKS], revision="1")


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
    path = folder / "memory.sqlite"
    async with open_sqlite_index(path) as index:
        await fill(index, texts, scopes)
        size = (await index.stats()).size_bytes / (scopes * SCOPE_SIZE)
        appended = await append(index, texts)
        rows = [
            ("messages of others", f"{scopes * SCOPE_SIZE:,}"),
            ("index: bytes a message", f"{size:.0f}"),
            ("index: ms a message, wall / CPU", f"{appended[0]:.2f} / {appended[1]:.2f}"),
        ]
        wall, cpu = await ask(index, Recall(index), texts, scopes)
        rows += [("query: wall ms, p50 / p99", percentiles(wall)), ("query: CPU ms, p50 / p99", percentiles(cpu))]
        if semantic:
            rows += await measure_semantic(index, texts)
    print("| | |\n|---|---:|")
    print("\n".join(f"| {name} | {value} |" for name, value in rows))


async def measure_semantic(index: MemoryIndex, texts: Texts) -> list[tuple[str, str]]:
    """Encode the messages of the oldest scope, and ask there."""
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
    answered = await ask(index, Recall(index, reranker=late_interaction), texts, 1)
    return [
        ("encode: ms a message, wall / CPU", f"{encoded[0]:.1f} / {encoded[1]:.1f}"),
        ("vectors: bytes a message", f"{sum(map(len, kept)) / max(len(kept), 1):.0f}"),
        ("semantic query: wall ms, p50 / p99", percentiles(answered[0])),
        ("semantic query: CPU ms, p50 / p99", percentiles(answered[1])),
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
