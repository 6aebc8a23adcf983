"""Turns whose events are gone, as their messages tell them."""

from one_engine import ask, engine

from idolchat_core.errors import ProviderUnavailable
from idolchat_core.events.events import TurnState
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.request import TurnOptions, TurnRequest

FAULT = ProviderUnavailable("the provider is down")


async def test_a_turn_has_its_own_reply_where_another_was_made_of_its_message(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say("Hello!", "Good day!")
    async with engine(storage, llm) as turns:
        await (first := await turns.start(ask("Hi"))).ended()
        await (second := await turns.regenerate(first.conversation_id, TurnOptions())).ended()
        kept = [await turns.status(turn.turn_id) for turn in (first, second)]
    async with engine(storage, llm) as turns:
        stored = [await turns.status(turn.turn_id) for turn in (first, second)]

    assert [status.content for status in stored] == ["Hello!", "Good day!"]
    assert [status.message_id for status in stored] == [status.message_id for status in kept]


async def test_a_turn_that_failed_stays_so_where_it_was_retried(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say([FAULT], "Hello!")
    async with engine(storage, llm) as turns:
        await (first := await turns.start(ask("Hi"))).ended()
        await (retried := await turns.retry(first.turn_id)).ended()
    async with engine(storage, llm) as turns:
        states = [(await turns.status(turn.turn_id)).state for turn in (first, retried)]

    assert states == [TurnState.FAILED, TurnState.COMPLETED]


async def test_a_key_stands_for_its_own_turn_where_its_message_was_answered_again(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say("Hello!", "Good day!")
    async with engine(storage, llm) as turns:
        first = await turns.start(ask("Hi"), idempotency_key="k")
        before = await first.ended()
        await (await turns.regenerate(first.conversation_id, TurnOptions())).ended()
    async with engine(storage, llm) as turns:
        again = await turns.start(ask("Hi"), idempotency_key="k")
        told = await again.ended()

    assert (again.turn_id, told.message) == (first.turn_id, before.message)


async def test_a_key_that_asked_nothing_new_is_run_again_once_over_restarts(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say("Once upon", [FAULT], " a time", " and again")
    async with engine(storage, llm) as turns:
        await (story := await turns.start(ask("Tell me a story"))).ended()
    begun = [{"role": "assistant", "content": "Once upon"}]
    continuing = TurnRequest.model_validate({"messages": begun, "conversation_id": story.conversation_id})
    ended = []
    for _ in range(3):
        async with engine(storage, llm) as turns:
            ended.append(await (await turns.start(continuing, idempotency_key="k")).ended())

    assert [end.state for end in ended] == [TurnState.FAILED, TurnState.COMPLETED, TurnState.COMPLETED]
    assert ended[2].message == ended[1].message
    assert len(llm.requests) == 3
