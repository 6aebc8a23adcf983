"""Rates and sums that several processes count together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from postgres_processes import OpenProcess

from idolchat_core import Counters
from idolchat_core.testing import CountersConformance


class TestPostgresCounters(CountersConformance):
    @pytest.fixture
    async def counters(self, open_process: OpenProcess) -> Sequence[Counters]:
        return [(await open_process()).coordination.counters for _ in range(3)]


async def test_what_is_added_to_a_sum_is_heard_once_by_all_others(open_process: OpenProcess) -> None:
    heard: list[dict[str, list[float]]] = [{}, {}, {}]

    def hear(number: int, sums: Mapping[str, Sequence[float]]) -> None:
        for key, (tokens, cost) in sums.items():
            before = heard[number].get(key, [0, 0])
            heard[number][key] = [before[0] + tokens, before[1] + cost]

    tell = []
    for number in range(3):
        counters = (await open_process()).coordination.counters
        tell.append(counters.share("spent", lambda sums, number=number: hear(number, sums)))  # type: ignore[misc]
    await asyncio.sleep(0.6)  # what was told before one listens is found in the ledger
    for each in tell:
        assert each is not None
        for _ in range(10):
            each("somebody", (2, 0.5))
            await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        while True:
            if [sums.get("somebody") for sums in heard] == [[40, 10.0]] * 3:
                return
            await asyncio.sleep(0.05)
