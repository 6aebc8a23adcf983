"""What counters must do that several processes share: a pytest class to run by overriding its fixture."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

import pytest

from idolchat_core.coordination.contract import Counters
from idolchat_core.rate_limits import LeakyBuckets
from idolchat_core.testing.waiting import until_so

__all__ = ["CountersConformance"]


@pytest.mark.asyncio
class CountersConformance:
    """The contract of ``Counters``, as tests. Override the fixture ``counters``."""

    @pytest.fixture
    def counters(self) -> Sequence[Counters]:
        """The counters of one or more processes of one storage, with nothing counted yet."""
        raise NotImplementedError("override the fixture `counters` with one that gives those of each process")

    @pytest.fixture
    def buckets(self, counters: Sequence[Counters]) -> list[LeakyBuckets]:
        """The same limit, of each process; a day lets a unit flow off in twelve minutes."""
        return [each.buckets("requests", unit="requests", limit=120, window_s=86_400) for each in counters]

    async def test_a_limit_is_as_it_was_asked_for(self, buckets: list[LeakyBuckets]) -> None:
        for each in buckets:
            assert (each.name, each.unit, each.limit, each.window_s) == ("requests", "requests", 120, 86_400)
            assert each.quota("user", monotonic()).remaining == 120

    async def test_who_counts_sees_it_at_once(self, buckets: list[LeakyBuckets]) -> None:
        for each in buckets:
            before = held(each)
            each.add("user", 7, monotonic())
            assert round(held(each) - before) == 7

    async def test_what_each_counts_all_hold_within_a_moment(self, buckets: list[LeakyBuckets]) -> None:
        await _until_each_hears_all(buckets)
        for each in buckets:
            each.add("user", 5, monotonic())

        expected = [5 * len(buckets)] * len(buckets)
        await until_so("what was counted, held by all", lambda: [round(held(each)) for each in buckets] == expected)

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


async def _until_each_hears_all(buckets: Sequence[LeakyBuckets]) -> None:
    """Wait until all processes are told of each other: one need not hold what was counted before it first asked."""
    names = [f"counted by {number}" for number in range(len(buckets))]

    def is_heard() -> bool:
        for name, each in zip(names, buckets, strict=True):
            each.add(name, 1, monotonic())
        return all(held(each, name) for name in names for each in buckets)

    await until_so("processes that hear each other", is_heard)


def held(buckets: LeakyBuckets, key: str = "user") -> float:
    """Return what a bucket holds now."""
    return buckets.held(key, monotonic())
