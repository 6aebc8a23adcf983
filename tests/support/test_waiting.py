"""Waiting for what another process does."""

from collections.abc import Awaitable, Callable, Iterator

import pytest

from idolchat_core.testing import until, until_so


def looking(seen: Iterator[int]) -> Callable[[], Awaitable[int]]:
    async def look() -> int:
        return next(seen)

    return look


async def test_what_is_seen_is_returned_once_it_is_so() -> None:
    assert await until("a three", looking(iter(range(9))), lambda number: number == 3) == 3


async def test_what_was_waited_for_is_told_and_what_was_seen_last() -> None:
    with pytest.raises(TimeoutError, match=r"^waited 0 s for a three; seen last: 1$"):
        await until("a three", looking(iter([1, 2])), lambda number: number == 3, within_s=0)


async def test_what_can_be_seen_at_once_is_waited_for_likewise() -> None:
    seen = iter([False, True])
    await until_so("two looks", lambda: next(seen))

    with pytest.raises(TimeoutError, match=r"^waited 0 s for nothing; seen last: False$"):
        await until_so("nothing", lambda: False, within_s=0)
