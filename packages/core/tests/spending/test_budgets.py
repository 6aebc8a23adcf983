"""Budgets refuse before anything is stored or asked, and overspend by no more than what is in flight."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_engine import ask

from idolchat_core.errors import BudgetExceeded, LimitReached, QueueFull
from idolchat_core.rate_limits import LeakyBuckets
from idolchat_core.request_context import CALLER, CallerInfo
from idolchat_core.settings import CoreSettings
from idolchat_core.spending.budgets import Budgets, Spender
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest


def allowing(**settings: Any) -> CoreSettings:
    return CoreSettings(**settings)


SAYING_HI = ask("Hi")
ANA, BEN = Spender("ana", "10.0.0.1"), Spender("ben", "10.0.0.1")


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: str) -> None:
        self.now = datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def spend(budgets: Budgets, who: Spender, tokens: int, cost: float = 0.0, *, at: float | None = None) -> None:
    budgets.admit(who)
    budgets.leave(who)
    budgets.spend(who, "chat", at=time.time() if at is None else at, tokens=tokens, cost=cost)


@pytest.mark.parametrize(
    ("setting", "limit", "reset_s"),
    [
        ("budget_daily_tokens", 100, 3600),
        ("budget_monthly_tokens", 100, 3600 + 4 * 86400),
        ("user_budget_daily_cost", 1.0, 3600),
        ("user_budget_monthly_cost", 1.0, 3600 + 4 * 86400),
    ],
)
def test_a_budget_is_open_up_to_its_bound_and_opens_again_with_its_window(
    setting: str, limit: float, reset_s: float
) -> None:
    clock = Clock("2026-11-26T23:00")
    budgets = Budgets(allowing(**{setting: limit}), clock=clock)
    spend(budgets, ANA, 99, 0.99, at=clock.now)
    spend(budgets, ANA, 1, 0.01, at=clock.now)
    with pytest.raises(BudgetExceeded, match=setting.upper()) as refused:
        budgets.admit(ANA)
    [quota] = refused.value.quotas

    assert (refused.value.retry_after_s, quota.remaining, quota.limit) == (reset_s, 0, limit)
    clock.now += reset_s
    budgets.admit(ANA)


def test_a_users_budget_is_no_concern_of_another_user() -> None:
    budgets = Budgets(allowing(user_budget_daily_tokens=10, budget_daily_tokens=25))
    spend(budgets, ANA, 10)
    with pytest.raises(BudgetExceeded, match="this user"):
        budgets.admit(ANA)
    spend(budgets, BEN, 15)

    with pytest.raises(BudgetExceeded, match="the budget of tokens for this day"):
        budgets.admit(Spender("eve"))


def test_turns_in_flight_count_as_what_turns_took_lately() -> None:
    budgets = Budgets(allowing(budget_daily_tokens=100))
    budgets.learn(tokens=30, cost=0)
    for _ in range(4):
        budgets.admit(ANA)

    with pytest.raises(BudgetExceeded, match="in a moment") as refused:
        budgets.admit(ANA)
    assert refused.value.retry_after_s < 5


@pytest.mark.parametrize("setting", ["max_turns", "user_max_turns", "address_max_turns"])
def test_no_more_turns_at_once_than_are_allowed(setting: str) -> None:
    budgets = Budgets(allowing(**{setting: 2}))
    budgets.admit(ANA)
    budgets.admit(ANA)
    with pytest.raises(QueueFull, match=setting.upper()):
        budgets.admit(ANA)
    budgets.leave(ANA)

    budgets.admit(ANA)


def test_tokens_a_minute_are_counted_when_they_are_spent() -> None:
    budgets = Budgets(allowing(user_tokens_per_minute=1000))
    spend(budgets, ANA, 3000)
    with pytest.raises(LimitReached) as refused:
        budgets.admit(ANA)

    assert 115 < refused.value.retry_after_s <= 121
    budgets.admit(BEN)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 40), st.floats(0.1, 30)), max_size=60))
def test_a_bucket_takes_no_more_in_any_window_than_it_holds_and_lets_flow(
    asks: list[tuple[int, float, float]],
) -> None:
    bucket, now = LeakyBuckets("b", unit="requests", limit=10, window_s=60), 0.0
    taken: list[tuple[float, float]] = []
    for key, pause_s, amount in asks:
        now += pause_s
        if bucket.room_in_s(key, amount, now) == 0:
            bucket.add(key, amount, now)
            if key == 0:
                taken.append((now, amount))

    for start, _ in taken:
        assert sum(amount for at, amount in taken if start <= at <= start + 60) <= 20 + 1e-6


def test_buckets_forget_who_came_longest_ago() -> None:
    bucket = LeakyBuckets("b", unit="requests", limit=1, max_keys=2)
    for key in "abc":
        bucket.add(key, 1, 0.0)

    assert [bucket.held(key, 0.0) for key in "abc"] == [0, 1, 1]


async def test_fifty_turns_at_the_edge_of_a_budget_overspend_by_one_each_and_no_more_after() -> None:
    storage, llm, gate = InMemoryStorage(), ScriptedProvider(), asyncio.Event()
    settings = CoreSettings(user_budget_daily_tokens=20, shutdown_grace_s=5)
    user_id = uuid4()
    async with TurnEngine(storage, llm, settings=settings) as turns:

        async def one(**more: Any) -> Any:
            request = {"messages": [{"role": "user", "content": "Hi"}], "user_id": user_id, **more}
            return await turns.start(TurnRequest.model_validate(request), idempotency_key="k" if more else None)

        llm.say(*[iter(("a", gate)) for _ in range(50)])
        running = await asyncio.gather(*(one() for _ in range(50)))
        await llm.wait_for_replies(50)
        gate.set()
        ended = [await turn.ended() for turn in running]
        spent = sum(e.usage.input_tokens + e.usage.output_tokens for e in ended)
        conversation_id = uuid4()
        for _ in range(3):
            with pytest.raises(BudgetExceeded):
                await one(conversation_id=conversation_id)

        assert turns.ledger.budgets.day.overall.tokens == spent
        assert len(llm.requests) == 50
        assert conversation_id not in {conversation.id for conversation in (await storage.list(limit=99)).data}


async def test_who_shows_no_user_is_counted_by_the_key() -> None:
    token = CALLER.set(CallerInfo(key_id="k1", address="10.0.0.9"))
    try:
        settings = CoreSettings(user_budget_daily_tokens=1000)
        async with TurnEngine(InMemoryStorage(), ScriptedProvider(), settings=settings) as turns:
            request = ask("Hi")
            await (await turns.start(request)).ended()

            assert list(turns.ledger.budgets.day.users) == ["key:k1"]
    finally:
        CALLER.reset(token)


def test_a_clock_that_is_set_back_over_midnight_reopens_no_budget() -> None:
    clock = Clock("2026-11-27T00:00:10")
    budgets = Budgets(allowing(budget_daily_tokens=100), clock=clock)
    spend(budgets, ANA, 100, at=clock.now)
    for seconds in (-20, 20, -3600):
        clock.now += seconds

        with pytest.raises(BudgetExceeded):
            budgets.admit(ANA)


async def test_a_start_after_the_clock_was_set_back_goes_on_with_the_budget_of_the_newest_day() -> None:
    storage, settings = InMemoryStorage(), CoreSettings(budget_daily_tokens=1)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    async with TurnEngine(storage, ScriptedProvider(), settings=settings) as turns:
        await (await turns.start(SAYING_HI)).ended()
    [today] = await storage.list_logs("spending")
    spent = (await storage.read_log("spending", today)).replace(today.encode(), tomorrow.encode())
    after = InMemoryStorage()
    await after.append_log("spending", tomorrow, spent)

    async with TurnEngine(after, ScriptedProvider(), settings=settings) as turns:
        with pytest.raises(BudgetExceeded):
            await turns.start(SAYING_HI)
