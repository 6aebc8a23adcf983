"""Turns that are cancelled: by whom, and what stays of them."""

import asyncio
from contextlib import aclosing
from uuid import uuid4

from one_engine import ask, said, sent, started_saying

from idolchat_core import Delta
from idolchat_core.events.events import TurnState
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import OnDisconnect


async def test_a_reader_who_leaves_changes_nothing(turns: TurnEngine, llm: ScriptedProvider) -> None:
    go_on = asyncio.Event()
    llm.say(["one ", go_on, "two"])
    turn = await turns.start(ask("Count"))
    async with aclosing(turn.follow()) as batches:
        await anext(batches)
    go_on.set()

    assert (await turn.ended()).state is TurnState.COMPLETED


async def test_the_last_reader_to_leave_cancels_a_turn_that_wants_it(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say(["one ", asyncio.Event()])
    turn = await turns.start(ask("Count", on_disconnect="cancel"))
    async with aclosing(turn.follow()) as batches:
        async for _, events in batches:
            if isinstance(events[-1], Delta):
                break
    await llm.wait_for_replies(0)
    await (await turns.find(turn.turn_id)).ended()

    assert await said(storage, turn.conversation_id) == [("user", "Count"), ("assistant", "one ")]


async def test_cancelling_keeps_what_was_said(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say(["Once upon ", asyncio.Event()])
    turn = await turns.start(ask("A story"))
    await started_saying(turn)
    status = await turns.cancel(turn.turn_id)

    reply = (await storage.read(turn.conversation_id)).messages[-1]
    assert (status.state, status.content) == (TurnState.CANCELLED, "Once upon ")
    assert (reply.content, reply.finish_reason) == ("Once upon ", "cancelled")
    assert reply.usage is not None
    assert reply.usage.output_tokens > 0


async def test_a_message_right_after_cancelling_has_the_right_history(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say(["Once upon ", asyncio.Event()], "Fine")
    turn = await turns.start(ask("A story"))
    await started_saying(turn)
    _, after = await asyncio.gather(
        turns.cancel(turn.turn_id), turns.start(ask("Stop", conversation_id=str(turn.conversation_id)))
    )
    await after.ended()

    assert sent(llm) == [("user", "A story"), ("assistant", "Once upon "), ("user", "Stop")]


async def test_cancelling_before_the_first_delta_stops_the_provider(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say([asyncio.Event()])
    turn = await turns.start(ask("A story"))
    await llm.wait_for_replies(1)
    status = await turns.cancel(turn.turn_id)

    await llm.wait_for_replies(0)
    assert status.state is TurnState.CANCELLED


async def test_leaving_while_the_turn_begins_does_not_undo_it(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    conversation_id = uuid4()
    sending = asyncio.create_task(turns.start(ask("Hi", conversation_id=str(conversation_id))))
    await asyncio.sleep(0)
    sending.cancel()
    await turns.drain(grace_s=5)

    assert await said(storage, conversation_id) == [("user", "Hi"), ("assistant", "Hi")]
    assert OnDisconnect.CONTINUE
