"""Answers that may be a little old."""

import asyncio

import pytest

from idolchat_api.cached_call import CachedCall


class Question:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_wrong = False

    async def ask(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_wrong:
            raise ValueError("wrong")
        return self.asked


async def test_a_fresh_answer_is_given_again() -> None:
    fresh = CachedCall(Question().ask, max_age_s=60)

    assert [await fresh.get(), await fresh.get()] == [1, 1]


async def test_an_old_answer_is_asked_for_again() -> None:
    fresh = CachedCall(Question().ask, max_age_s=0)

    assert [await fresh.get(), await fresh.get()] == [1, 2]


async def test_all_who_wait_get_one_answer() -> None:
    fresh = CachedCall(Question().ask, max_age_s=60)

    assert await asyncio.gather(*(fresh.get() for _ in range(5))) == [1] * 5


async def test_an_error_is_not_kept() -> None:
    question = Question()
    question.is_wrong = True
    fresh = CachedCall(question.ask, max_age_s=60)
    with pytest.raises(ValueError, match="wrong"):
        await fresh.get()
    question.is_wrong = False

    assert await fresh.get() == 2


async def test_one_who_leaves_does_not_take_the_answer_from_the_others() -> None:
    fresh = CachedCall(Question().ask, max_age_s=60)
    first = asyncio.ensure_future(fresh.get())
    second = asyncio.ensure_future(fresh.get())
    await asyncio.sleep(0)

    first.cancel()

    assert await second == 1
