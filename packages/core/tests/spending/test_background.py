"""What is asked in the background is metered, limited and stopped as turns are, and keeps none from its place."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from one_engine import ask
from pydantic_core import from_json

from idolchat_core.errors import BudgetExceeded, ProviderUnavailable, ReplyCut, ShuttingDown, SpendingStopped
from idolchat_core.llm.contract import CompletionRequest
from idolchat_core.settings import CoreSettings
from idolchat_core.spending.background import BackgroundCompletions
from idolchat_core.spending.kill_switch import stop_spending
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine

USER = uuid4()

REQUEST = CompletionRequest(messages=[{"role": "user", "content": "Sum it up"}], user_id=USER)


@pytest.fixture
def background() -> BackgroundCompletions:
    return BackgroundCompletions()


@asynccontextmanager
async def engine(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions, **settings: Any
) -> AsyncIterator[TurnEngine]:
    how = CoreSettings(shutdown_grace_s=0, **settings)
    async with TurnEngine(storage, llm, settings=how, recovers=True, background=background) as turns:
        yield turns


async def calls(storage: InMemoryStorage) -> list[dict[str, Any]]:
    """Read what the ledger says of each call that is over, once the engine has closed."""
    logs = [await storage.read_log("spending", day) for day in await storage.list_logs("spending")]
    lines: Iterable[dict[str, Any]] = map(from_json, b"".join(logs).splitlines())
    return [line for line in lines if "call" in line]


async def test_a_call_is_in_the_ledger_with_its_purpose_and_user(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions
) -> None:
    llm.say("They sang.")
    async with engine(storage, llm, background):
        text = await background.complete(REQUEST, purpose="summary")

    [call] = await calls(storage)
    assert text == "They sang."
    assert (call["purpose"], call["user"], call["outcome"]) == ("summary", str(USER), "completed")
    assert call["output"] == 2


async def test_what_is_asked_before_the_engine_is_open_waits_for_it(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions
) -> None:
    asked = asyncio.create_task(background.complete(REQUEST, purpose="summary"))
    await asyncio.sleep(0)
    assert llm.requests == []

    async with engine(storage, llm, background):
        assert await asked == "Sum it up"


async def test_a_purpose_has_a_budget_of_its_own_that_a_restart_keeps(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions
) -> None:
    async with engine(storage, llm, background):
        await background.complete(REQUEST, purpose="memory", daily_tokens=1)

    again = BackgroundCompletions()
    async with engine(storage, llm, again):
        with pytest.raises(BudgetExceeded, match="'memory'"):
            await again.complete(REQUEST, purpose="memory", daily_tokens=1)
        await again.complete(REQUEST, purpose="summary", daily_tokens=1)


async def test_the_budget_of_a_user_holds(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions
) -> None:
    async with engine(storage, llm, background, user_budget_daily_tokens=1):
        await background.complete(REQUEST, purpose="summary")
        with pytest.raises(BudgetExceeded):
            await background.complete(REQUEST, purpose="summary")


async def test_nothing_is_asked_while_spending_is_stopped(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions
) -> None:
    await stop_spending(storage)
    async with engine(storage, llm, background):
        with pytest.raises(SpendingStopped):
            await background.complete(REQUEST, purpose="summary")

    assert llm.requests == []


async def test_a_call_takes_nobodys_place(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions
) -> None:
    goes_on = asyncio.Event()
    llm.say([goes_on, "At last"])
    async with engine(storage, llm, background, max_turns=1, user_max_turns=1) as turns:
        asked = asyncio.create_task(background.complete(REQUEST, purpose="summary"))
        await llm.wait_for_replies(1)
        request = ask("Hi", user_id=USER)
        turn = await turns.start(request)
        await turn.ended()
        goes_on.set()
        await asked

        assert turn.state == "completed"


async def test_a_call_that_fails_is_free_and_raises(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions
) -> None:
    llm.say([ProviderUnavailable("down")])
    async with engine(storage, llm, background):
        with pytest.raises(ProviderUnavailable):
            await background.complete(REQUEST, purpose="summary")

    [call] = await calls(storage)
    assert (call["outcome"], call["input"], call["output"]) == ("failed", 0, 0)


async def test_a_reply_that_is_too_long_is_no_reply(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions
) -> None:
    limited = CompletionRequest(messages=REQUEST.messages, options={"max_tokens": 2})
    async with engine(storage, llm, background):
        with pytest.raises(ReplyCut, match="length"):
            await background.complete(limited, purpose="summary")


async def test_a_call_that_runs_when_the_server_stops_is_settled(
    storage: InMemoryStorage, llm: ScriptedProvider, background: BackgroundCompletions
) -> None:
    llm.say([asyncio.Event()])
    async with engine(storage, llm, background):
        asked = asyncio.create_task(background.complete(REQUEST, purpose="summary"))
        await llm.wait_for_replies(1)

    with pytest.raises(ShuttingDown):
        await asked
    [call] = await calls(storage)
    assert (call["outcome"], call["estimated"]) == ("cancelled", True)
