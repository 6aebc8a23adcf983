"""Turns that did not complete, answered once more."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from one_engine import ask

from idolchat_core.errors import ProviderUnavailable, TurnNotRetryable
from idolchat_core.events.events import TurnState
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine

FAULT = ProviderUnavailable("the provider is down")


@asynccontextmanager
async def engine(storage: InMemoryStorage, llm: ScriptedProvider, **settings: Any) -> AsyncGenerator[TurnEngine]:
    async with TurnEngine(storage, llm, settings=CoreSettings(**settings)) as turns:
        yield turns


async def test_a_failed_turn_is_retried_once_however_often_it_is_asked(
    turns: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say([FAULT], "Hello!")
    first = await turns.start(ask("Hi", temperature=0.3))
    await first.ended()
    retries = await asyncio.gather(*(turns.retry(first.turn_id) for _ in range(10)))
    ended = await retries[0].ended()

    assert len({turn.turn_id for turn in retries}) == 1
    assert ended.state is TurnState.COMPLETED
    assert llm.requests[-1].options == {"temperature": 0.3}


async def test_a_failed_turn_is_retried_once_by_many_at_once_after_a_restart(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say([FAULT], "Hello!")
    async with TurnEngine(storage, llm, settings=CoreSettings()) as turns:
        first = await turns.start(ask("Hi"))
        await first.ended()
    async with TurnEngine(storage, llm, settings=CoreSettings()) as turns:
        retries = await asyncio.gather(*(turns.retry(first.turn_id) for _ in range(8)))
        await retries[0].ended()
    stored = await storage.read(first.conversation_id)

    assert len({turn.turn_id for turn in retries}) == 1
    assert len(llm.requests) == 2
    assert [m.content for m in stored.messages] == ["Hi", "", "Hello!"]


async def test_a_completed_turn_cannot_be_retried(turns: TurnEngine) -> None:
    turn = await turns.start(ask("Hi"))
    await turn.ended()

    with pytest.raises(TurnNotRetryable, match="completed"):
        await turns.retry(turn.turn_id)


async def test_a_turn_that_the_conversation_has_left_behind_cannot_be_retried(
    turns: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say([FAULT])
    turn = await turns.start(ask("Hi"))
    await turn.ended()
    await (await turns.start(ask("Hello?", conversation_id=str(turn.conversation_id)))).ended()

    with pytest.raises(TurnNotRetryable, match="moved on"):
        await turns.retry(turn.turn_id)
