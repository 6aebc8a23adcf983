"""Rates and sums that several processes count together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from postgres_processes import OpenProcess

from idolchat_core import Counters
from idolchat_core.testing import CountersConformance, until_so


class TestPostgresCounters(CountersConformance):
    @pytest.fixture
    async def counters(self, open_process: OpenProcess) -> Sequence[Counters]:
        return [(await open_process()).coordination.counters for _ in range(3)]


class Sums:
    """What one process has heard of the others, and how it tells them."""

    def __init__(self, name: str, counters: Counters) -> None:
        self.name = name
        self.heard: dict[str, list[float]] = {}
        tell = counters.share("spent", self._hear)
        assert tell is not None
        self.tell = tell

    def _hear(self, sums: Mapping[str, Sequence[float]]) -> None:
        for key, (tokens, cost) in sums.items():
            before = self.heard.get(key, [0, 0])
            self.heard[key] = [before[0] + tokens, before[1] + cost]


async def until_all_are_heard(processes: Sequence[Sums]) -> None:
    """Wait until each hears the others: what was told before is to be found in the ledger."""
    names = {process.name for process in processes}
    async with asyncio.timeout(60):
        while any(set(process.heard) != names - {process.name} for process in processes):
            for process in processes:
                process.tell(process.name, (1, 0))
            await asyncio.sleep(0.05)


async def test_what_is_added_to_a_sum_is_heard_once_by_all_others(open_process: OpenProcess) -> None:
    processes = [Sums(name, (await open_process()).coordination.counters) for name in ("one", "two", "three")]
    await until_all_are_heard(processes)
    for process in processes:
        for _ in range(10):
            process.tell("somebody", (2, 0.5))
            await asyncio.sleep(0.05)

    await until_so(
        "what the two others have added",
        lambda: [process.heard.get("somebody") for process in processes] == [[40, 10.0]] * 3,
    )
