"""Turns through the engine, over a real small storage and a provider that says what it is told."""

import asyncio
from uuid import uuid4

import pytest
from one_engine import ask, engine, said, sent, started_saying

from idolchat_core import Delta
from idolchat_core.conversations.branches import delete
from idolchat_core.errors import (
    ConversationMismatch,
    ConversationNotFound,
    TurnExpired,
    TurnNotFound,
)
from idolchat_core.events.events import TurnEnded, TurnStarted, TurnState
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest


async def test_a_turn_is_told_as_started_deltas_and_ended(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say("Hello, my dear!")
    turn = await turns.start(ask("Hi"))

    events = [event async for _, batch in turn.follow() for event in batch]
    assert isinstance(events[0], TurnStarted)
    assert "".join(event.content for event in events if isinstance(event, Delta)) == "Hello, my dear!"
    assert isinstance(events[-1], TurnEnded)
    assert events[-1].state is TurnState.COMPLETED


async def test_both_messages_are_stored_when_the_turn_has_ended(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say("Hello!")
    turn = await turns.start(ask("Hi"))
    ended = await turn.ended()

    conversation = await storage.read(turn.conversation_id)
    assert [message.content for message in conversation.messages] == ["Hi", "Hello!"]
    assert conversation.messages[1] == ended.message
    assert conversation.messages[1].usage == ended.usage


async def test_the_users_message_is_stored_before_the_provider_is_asked(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say([asyncio.Event(), "never"])
    turn = await turns.start(ask("Hi"))

    assert await said(storage, turn.conversation_id) == [("user", "Hi")]


async def test_the_history_is_before_the_new_message(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say("Hello!", "La la la")
    first = await turns.start(ask("Hi"))
    await first.ended()
    second = await turns.start(ask("Sing", conversation_id=str(first.conversation_id)))
    await second.ended()

    assert sent(llm) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sing")]


async def test_the_history_is_there_after_a_restart(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    async with engine(storage, llm) as turns:
        first = await turns.start(ask("Hi"))
        await first.ended()
    async with engine(storage, llm) as turns:
        second = await turns.start(ask("Sing", conversation_id=str(first.conversation_id)))
        await second.ended()

    assert [role for role, _ in sent(llm)] == ["user", "assistant", "user"]


async def test_instructions_serve_one_prompt_and_are_not_stored(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    messages = [{"role": "system", "content": "Whisper."}, {"role": "user", "content": "Hi"}]
    async with engine(storage, llm, system_prompt="You are Mira.") as turns:
        turn = await turns.start(TurnRequest.model_validate({"messages": messages}))
        await turn.ended()

    assert sent(llm) == [("system", "You are Mira."), ("system", "Whisper."), ("user", "Hi")]
    assert (await said(storage, turn.conversation_id))[0] == ("user", "Hi")


async def test_options_reach_the_provider_unchanged(turns: TurnEngine, llm: ScriptedProvider) -> None:
    turn = await turns.start(ask("Hi", temperature=0.5, provider={"order": ["x"]}, stream=True))
    await turn.ended()

    assert llm.requests[-1].options == {"temperature": 0.5, "provider": {"order": ["x"]}}
    assert llm.requests[-1].stream


async def test_a_client_that_sends_the_history_again_adds_only_what_is_new(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say("Hello!", "La la")
    first = await turns.start(ask("Hi"))
    await first.ended()
    whole = [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sing")]
    request = {
        "conversation_id": str(first.conversation_id),
        "messages": [{"role": role, "content": content} for role, content in whole],
    }
    await (await turns.start(TurnRequest.model_validate(request))).ended()

    assert await said(storage, first.conversation_id) == [*whole, ("assistant", "La la")]


@pytest.mark.parametrize("field", ["user_id", "character_id"])
async def test_another_user_or_character_is_a_mismatch(turns: TurnEngine, field: str) -> None:
    first = await turns.start(ask("Hi", **{field: str(uuid4())}))
    await first.ended()

    with pytest.raises(ConversationMismatch, match=field):
        await turns.start(ask("Hi", conversation_id=str(first.conversation_id), **{field: str(uuid4())}))


async def test_a_reply_is_followed_from_any_point_by_any_number_of_readers(
    turns: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say("one two three four five")
    turn = await turns.start(ask("Count"))
    whole = [event async for _, batch in turn.follow() for event in batch]

    for after in range(-1, len(whole)):
        seen = [(seq + i, event) async for seq, batch in turn.follow(after=after) for i, event in enumerate(batch)]
        assert seen == list(enumerate(whole))[after + 1 :]


async def test_deleting_stops_what_runs_and_leaves_nothing(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say(["one ", asyncio.Event()])
    turn = await turns.start(ask("Count"), idempotency_key="k")
    await started_saying(turn)
    await delete(turns, storage, turn.conversation_id)

    with pytest.raises(ConversationNotFound):
        await storage.read(turn.conversation_id)
    with pytest.raises(TurnNotFound):
        await turns.find(turn.turn_id)


async def test_a_finished_turn_is_kept_for_a_while_and_then_gone_for_good(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    async with engine(storage, llm, turn_retention_s=0) as turns:
        turn = await turns.start(ask("Hi"))
        await turn.ended()
        await turns.drain(grace_s=1)

        with pytest.raises(TurnExpired):
            await turns.find(turn.turn_id)
        assert (await turns.status(turn.turn_id)).content == "Hi"


async def test_what_finished_turns_were_asked_counts_among_what_is_kept_of_them(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    async with engine(storage, llm, turn_retention_bytes=100_000, context_length=1_000_000) as turns:
        long = await turns.start(ask("long " * 40_000))
        await long.over()
        short = await turns.start(ask("short"))
        await turns.drain(grace_s=1)

        with pytest.raises(TurnExpired):
            await turns.find(long.turn_id)
        assert await turns.find(short.turn_id) is short


async def test_an_unknown_turn_is_not_found(turns: TurnEngine) -> None:
    with pytest.raises(TurnNotFound):
        await turns.status(uuid4())


async def test_a_turn_that_waited_does_not_bring_back_a_conversation_that_was_deleted(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    going_on = asyncio.Event()
    llm.say(["Once ", going_on, "upon a time"])
    first = await turns.start(ask("Tell me a story"))
    waiting = await turns.start(ask("And then?", conversation_id=str(first.conversation_id)))
    await storage.delete(first.conversation_id)
    going_on.set()
    ended = await waiting.ended()

    assert (ended.state, (ended.error or {})["code"]) == (TurnState.FAILED, "conversation_not_found")
    assert await storage.list_ids() == []
    assert turns.unstored == 0
