"""What counters must do that several processes share: a pytest class to run by overriding its fixture."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

import pytest

from idolchat_core.coordination.contract import Counters
from idolchat_core.rate_limits import LeakyBuckets

__all__ = ["CountersConformance"]

_PATIENCE_S = 60.0


@pytest.mark.asyncio
class CountersConformance:
    """The contract of ``Counters``, as tests. Override the fixture ``counters``."""

    @pytest.fixture
    def counters(self) -> Sequence[Counters]:
        """The counters of one or more processes of one storage, with nothing counted yet."""
        raise NotImplementedError("override the fixture `counters` with one that gives those of each process")

    @pytest.fixture
    def buckets(self, counters: Sequence[Counters]) -> list[LeakyBuckets]:
        """The same limit, of each process; an hour lets a unit flow off in half a minute."""
        return [each.buckets("requests", unit="requests", limit=120, window_s=3600) for each in counters]

    async def test_a_limit_is_as_it_was_asked_for(self, buckets: list[LeakyBuckets]) -> None:
        for each in buckets:
            assert (each.name, each.unit, each.limit, each.window_s) == ("requests", "requests", 120, 3600)
            assert each.quota("user", monotonic()).remaining == 120

    async def test_who_counts_sees_it_at_once(self, buckets: list[LeakyBuckets]) -> None:
        for each in buckets:
            before = held(each)
            each.add("user", 7, monotonic())
            assert round(held(each) - before) == 7

    async def test_what_each_counts_all_hold_within_a_moment(self, buckets: list[LeakyBuckets]) -> None:
        for each in buckets:
            each.add("user", 5, monotonic())
        async with asyncio.timeout(_PATIENCE_S):
            for each in buckets:
                await _holds(each, 5 * len(buckets))

    async def test_keys_are_counted_apart(self, buckets: list[LeakyBuckets]) -> None:
        buckets[0].add("user", 5, monotonic())

        assert held(buckets[0], "another") == 0

    async def test_limits_of_other_names_are_counted_apart(self, counters: Sequence[Counters]) -> None:
        one, other = (counters[0].buckets(name, unit="tokens", limit=10, window_s=3600) for name in ("one", "other"))
        one.add("user", 5, monotonic())

        assert held(other) == 0

    async def test_who_asks_again_for_a_limit_counts_in_the_same_buckets(self, counters: Sequence[Counters]) -> None:
        one, again = (counters[0].buckets("tokens", unit="tokens", limit=10, window_s=3600) for _ in range(2))
        one.add("user", 5, monotonic())

        assert round(held(again)) == 5


async def _holds(buckets: LeakyBuckets, amount: float) -> None:
    while True:
        if round(held(buckets)) == amount:
            return
        await asyncio.sleep(0.01)


def held(buckets: LeakyBuckets, key: str = "user") -> float:
    """Return what a bucket holds now."""
    return buckets.held(key, monotonic())
