"""A key begins one turn, however often it is sent to one engine; see also ``test_keys_elsewhere``."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import pytest
from one_engine import ask, engine

from idolchat_core.conversations.branches import active_branch
from idolchat_core.errors import (
    IdempotencyMismatch,
    ProviderUnavailable,
    StorageUnavailable,
)
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnOptions

FAULT = ProviderUnavailable("the provider is down")


async def test_one_key_makes_one_turn_however_often_it_is_sent(turns: TurnEngine, llm: ScriptedProvider) -> None:
    found = await asyncio.gather(*(turns.start(ask("Hi"), idempotency_key="k") for _ in range(50)))
    ended = await asyncio.gather(*(turn.ended() for turn in found))

    assert len({turn.turn_id for turn in found}) == 1
    assert len({id(event.message) for event in ended}) == 1
    assert len(llm.requests) == 1


async def test_a_key_is_remembered_over_a_restart(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    async with engine(storage, llm) as turns:
        first = await turns.start(ask("Hi"), idempotency_key="k")
        ended = await first.ended()
    async with engine(storage, llm) as turns:
        again = await turns.start(ask("Hi"), idempotency_key="k")
        replayed = await again.ended()

    assert (again.turn_id, again.conversation_id) == (first.turn_id, first.conversation_id)
    assert replayed.message == ended.message
    assert len(llm.requests) == 1


async def test_a_key_is_remembered_when_the_conversation_has_gone_on(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    async with engine(storage, llm) as turns:
        first = await turns.start(ask("Hi"), idempotency_key="k")
        await first.ended()
        for number in range(50):
            await (await turns.start(ask(f"{number}", conversation_id=str(first.conversation_id)))).ended()
    async with engine(storage, llm) as turns:
        again = await turns.start(ask("Hi"), idempotency_key="k")

    assert again.turn_id == first.turn_id
    assert len(llm.requests) == 51


class StorageWithoutIndex(InMemoryStorage):
    """Cannot tell where a turn is, as where one of all conversations cannot be read."""

    async def find_turn(self, turn_id: UUID) -> UUID | None:
        raise StorageUnavailable("it may be in one that cannot be read")


async def test_keys_work_while_turns_of_other_conversations_cannot_be_looked_up(llm: ScriptedProvider) -> None:
    storage = StorageWithoutIndex()
    async with engine(storage, llm) as turns:
        first = await turns.start(ask("Hi"), idempotency_key="k")
        await first.ended()
        for number in range(50):
            await (await turns.start(ask(f"{number}", conversation_id=str(first.conversation_id)))).ended()
    async with engine(storage, llm) as turns:
        again = await turns.start(ask("Hi"), idempotency_key="k")
        more = await turns.start(ask("More", conversation_id=str(first.conversation_id)), idempotency_key="new")
        await more.ended()

    assert again.turn_id == first.turn_id
    assert len(llm.requests) == 52


async def test_a_key_with_another_request_is_a_mismatch(turns: TurnEngine) -> None:
    await (await turns.start(ask("Hi"), idempotency_key="k")).ended()

    with pytest.raises(IdempotencyMismatch):
        await turns.start(ask("Bye"), idempotency_key="k")


async def test_a_key_with_another_request_is_a_mismatch_after_a_restart(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    async with engine(storage, llm) as turns:
        await (await turns.start(ask("Hi"), idempotency_key="k")).ended()
    async with engine(storage, llm) as turns:
        with pytest.raises(IdempotencyMismatch):
            await turns.start(ask("Bye"), idempotency_key="k")


async def test_the_same_key_runs_a_failed_turn_again_for_the_same_message(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say([FAULT], "Hello!")
    first = await turns.start(ask("Hi"), idempotency_key="k")
    await first.ended()
    retries = await asyncio.gather(*(turns.start(ask("Hi"), idempotency_key="k") for _ in range(20)))
    ended = await retries[0].ended()

    stored = await storage.read(first.conversation_id)
    assert len({turn.turn_id for turn in retries} | {first.turn_id}) == 2
    assert len(llm.requests) == 2
    assert [m.content for m in active_branch(stored)] == ["Hi", "Hello!"]
    assert ended.message == stored.messages[-1]


async def test_the_same_key_runs_a_failed_turn_again_after_a_restart(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say([FAULT], "Hello!")
    async with engine(storage, llm) as turns:
        first = await turns.start(ask("Hi"), idempotency_key="k")
        await first.ended()
    async with engine(storage, llm) as turns:
        retries = await asyncio.gather(*(turns.start(ask("Hi"), idempotency_key="k") for _ in range(20)))
        await retries[0].ended()
        replayed = await turns.start(ask("Hi"), idempotency_key="k")

    assert len({turn.turn_id for turn in retries}) == 1
    assert replayed.turn_id == retries[0].turn_id
    assert [m.content for m in active_branch(await storage.read(first.conversation_id))] == ["Hi", "Hello!"]
    assert len(llm.requests) == 2


@pytest.mark.parametrize("restarts", [False, True], ids=["at once", "after a restart"])
async def test_a_key_whose_turn_was_retried_with_other_options_stands_for_the_retry_and_for_no_other_request(
    storage: InMemoryStorage, llm: ScriptedProvider, restarts: bool
) -> None:
    llm.say([FAULT], "Hello!")
    async with AsyncExitStack() as stack:
        turns = await stack.enter_async_context(engine(storage, llm))
        await (first := await turns.start(ask("Hi"), idempotency_key="k")).ended()
        if restarts:
            await stack.aclose()
            turns = await stack.enter_async_context(engine(storage, llm))
        await (retried := await turns.retry(first.turn_id, TurnOptions.model_validate({"temperature": 0.3}))).ended()

        assert (await turns.start(ask("Hi"), idempotency_key="k")).turn_id == retried.turn_id
        with pytest.raises(IdempotencyMismatch):
            await turns.start(ask("Bye"), idempotency_key="k")


async def test_a_key_names_the_same_new_conversation_after_a_restart_and_another_on_another_server() -> None:
    async def began(storage: InMemoryStorage) -> UUID:
        async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings()) as turns:
            turn = await turns.start(ask("Hi"), idempotency_key="k")
            await turn.ended()
            return turn.conversation_id

    here, elsewhere = InMemoryStorage(), InMemoryStorage()

    assert await began(here) == await began(here)
    assert await began(here) != await began(elsewhere)
