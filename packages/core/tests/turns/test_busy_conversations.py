"""Several turns of one conversation: which waits, is refused or makes way."""

import asyncio
from uuid import uuid4

import pytest
from one_engine import ask, engine, said, sent, started_saying

from idolchat_core.conversations.branches import active_branch
from idolchat_core.errors import (
    ConversationBusy,
    QueueFull,
)
from idolchat_core.events.events import TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import OnBusy


async def test_turns_of_one_conversation_run_one_after_another(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    conversation_id = uuid4()
    started = [await turns.start(ask(str(n), conversation_id=str(conversation_id))) for n in range(10)]
    await asyncio.gather(*(turn.ended() for turn in started))

    expected = [(role, str(n)) for n in range(10) for role in ("user", "assistant")]
    assert await said(storage, conversation_id) == expected


async def test_a_turn_that_waits_exists_and_its_message_is_kept(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say(["one ", asyncio.Event()])
    async with engine(storage, llm, shutdown_grace_s=0) as turns:
        running = await turns.start(ask("first"))
        waiting = await turns.start(ask("second", conversation_id=str(running.conversation_id)))
        status = await turns.status(waiting.turn_id)

    assert status.state is TurnState.QUEUED
    assert ("user", "second") in await said(storage, running.conversation_id)


async def test_rejecting_refuses_while_a_turn_runs(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say([asyncio.Event()])
    running = await turns.start(ask("first"))

    with pytest.raises(ConversationBusy):
        await turns.start(ask("second", conversation_id=str(running.conversation_id), on_busy="reject"))


async def test_an_edit_that_waits_is_stored_though_its_message_is_on_another_branch_by_then(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    first = await turns.start(ask("Hi"))
    await first.ended()
    where = str(first.conversation_id)
    second = await turns.start(ask("Sing", conversation_id=where))
    await second.ended()
    go_on = asyncio.Event()
    llm.say([go_on], "La", "A poem")
    await turns.start(ask("Go on", conversation_id=where))
    waiting = [
        await turns.edit(first.user_message_id, ask("Hey", conversation_id=where)),
        await turns.edit(second.user_message_id, ask("Recite", conversation_id=where)),
    ]
    go_on.set()
    states = [(await turn.ended()).state for turn in waiting]

    assert states == [TurnState.COMPLETED, TurnState.COMPLETED]
    branch = [message.content for message in active_branch(await storage.read(first.conversation_id))]
    assert branch == ["Hi", "Hi", "Recite", "A poem"]


@pytest.mark.parametrize("on_busy", ["enqueue", "interrupt", "rollback"])
async def test_an_edit_of_what_was_read_is_refused_while_a_turn_runs_and_stops_none(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage, on_busy: str
) -> None:
    first = await turns.start(ask("Hi"))
    await first.ended()
    where = first.conversation_id
    go_on = asyncio.Event()
    llm.say([go_on, "La"])
    running = await turns.start(ask("Sing", conversation_id=str(where)))
    revision = (await storage.read_page(where, limit=1)).revision
    edit = ask("Hey", conversation_id=str(where), on_busy=on_busy)
    with pytest.raises(ConversationBusy, match="and will change it"):
        await turns.edit(first.user_message_id, edit, expected_revision=revision)
    go_on.set()
    ended = await running.ended()

    assert (ended.state, await said(storage, where)) == (
        TurnState.COMPLETED,
        [("user", "Hi"), ("assistant", "Hi"), ("user", "Sing"), ("assistant", "La")],
    )


async def test_the_queue_is_bounded(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    llm.say([asyncio.Event()])
    async with engine(storage, llm, max_queued_turns=1, shutdown_grace_s=0) as turns:
        running = await turns.start(ask("first"))
        await turns.start(ask("second", conversation_id=str(running.conversation_id)))

        with pytest.raises(QueueFull) as full:
            await turns.start(ask("third", conversation_id=str(running.conversation_id)))
        assert full.value.retry_after_s > 0


async def test_interrupting_keeps_what_was_said_and_goes_on(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say(["Once upon ", asyncio.Event()], "Sorry")
    running = await turns.start(ask("A story"))
    await started_saying(running)
    turn = await turns.start(ask("Stop", conversation_id=str(running.conversation_id), on_busy="interrupt"))
    await turn.ended()

    assert sent(llm) == [("user", "A story"), ("assistant", "Once upon "), ("user", "Stop")]


async def test_rolling_back_takes_the_running_turn_off_the_branch(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say("Hello!", ["Once upon ", asyncio.Event()], "Sure")
    first = await turns.start(ask("Hi"))
    await first.ended()
    running = await turns.start(ask("A story", conversation_id=str(first.conversation_id)))
    await started_saying(running)
    turn = await turns.start(ask("A song", conversation_id=str(first.conversation_id), on_busy="rollback"))
    await turn.ended()

    assert sent(llm) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "A song")]
    assert ("user", "A story") in await said(storage, first.conversation_id)


@pytest.mark.parametrize("policy", list(OnBusy))
async def test_many_senders_at_once_leave_one_linear_branch(
    turns: TurnEngine, storage: InMemoryStorage, policy: OnBusy
) -> None:
    conversation_id = uuid4()
    requests = [ask(f"message {n}", conversation_id=str(conversation_id), on_busy=policy) for n in range(50)]
    results = await asyncio.gather(*map(turns.start, requests), return_exceptions=True)
    accepted = [result for result in results if isinstance(result, LiveTurn)]
    await asyncio.gather(*(turn.ended() for turn in accepted))

    stored = await storage.read(conversation_id)
    texts = [message.content for message in stored.messages if message.role == "user"]
    branch = [message.role for message in active_branch(stored)]
    assert len(texts) == len(set(texts)) == len(accepted) >= 1
    assert branch == ["user", "assistant"] * (len(branch) // 2)
    assert all(isinstance(result, LiveTurn | ConversationBusy | QueueFull) for result in results)
