"""Turns through the engine, over a real small storage and a provider that says what it is told."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

import pytest

from idolchat_core import Delta, InvalidRequest
from idolchat_core.conversations.branches import active_branch, choose_head, delete, fork
from idolchat_core.errors import (
    ContextTooLong,
    ConversationBusy,
    ConversationMismatch,
    ConversationNotFound,
    ProviderUnavailable,
    QueueFull,
    ShuttingDown,
    TurnExpired,
    TurnNotFound,
)
from idolchat_core.events.events import TurnEnded, TurnStarted, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import ModelInfo
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import OnBusy, OnDisconnect, TurnOptions, TurnRequest


@asynccontextmanager
async def engine(
    storage: InMemoryStorage, llm: ScriptedProvider, *, recovers: bool = False, **settings: Any
) -> AsyncGenerator[TurnEngine]:
    async with TurnEngine(storage, llm, settings=CoreSettings(**settings), recovers=recovers) as turns:
        yield turns


def ask(text: str, **more: Any) -> TurnRequest:
    return TurnRequest.model_validate({"messages": [{"role": "user", "content": text}], **more})


async def said(storage: InMemoryStorage, conversation_id: UUID) -> list[tuple[str, Any]]:
    conversation = await storage.read(conversation_id)
    return [(message.role, message.content) for message in conversation.messages]


def sent(llm: ScriptedProvider) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in llm.requests[-1].messages]


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


async def started_saying(turn: LiveTurn) -> None:
    """Wait for the first delta, as a reader who stays until then."""
    async with aclosing(turn.follow()) as batches:
        async for _, events in batches:
            if isinstance(events[-1], Delta):
                return


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


FAULT = ProviderUnavailable("the provider is down")


async def test_a_failed_turn_is_visible_and_keeps_the_message(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say([FAULT])
    turn = await turns.start(ask("Hi"))
    ended = await turn.ended()

    stored = (await storage.read(turn.conversation_id)).messages
    assert ended.state is TurnState.FAILED
    assert ended.error == {"code": "provider_unavailable", "message": "the provider is down"}
    assert [(m.role, m.finish_reason) for m in stored] == [("user", None), ("assistant", "error")]


async def test_a_reply_that_breaks_off_is_kept_as_incomplete(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say(["Once upon ", FAULT])
    turn = await turns.start(ask("A story"))
    ended = await turn.ended()

    assert ended.state is TurnState.INCOMPLETE
    assert ended.message is not None
    assert (ended.message.content, ended.message.finish_reason) == ("Once upon ", "incomplete")


async def test_five_failures_and_a_success_send_alternating_roles(turns: TurnEngine, llm: ScriptedProvider) -> None:
    """Scenario 20."""
    llm.say("Hello!", *([FAULT] for _ in range(5)), "At last")
    first = await turns.start(ask("Hi"))
    await first.ended()
    for number in range(6):
        await (await turns.start(ask(f"try {number}", conversation_id=str(first.conversation_id)))).ended()

    assert sent(llm) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "try 5")]


async def test_a_provider_fault_of_no_known_kind_fails_the_turn(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say([RuntimeError("a secret detail")])
    ended = await (await turns.start(ask("Hi"))).ended()

    assert ended.error is not None
    assert ended.error["code"] == "internal_error"
    assert "secret" not in ended.error["message"]


async def test_a_prompt_found_too_long_is_shortened_once(storage: InMemoryStorage) -> None:
    llm = ScriptedProvider(models=[ModelInfo(id="m", context_length=None)], default_model="m")
    async with engine(storage, llm) as turns:
        first = await turns.start(ask("word " * 200))
        await first.ended()
        for number in range(4):
            await (await turns.start(ask(f"{number} " * 200, conversation_id=str(first.conversation_id)))).ended()
        whole = len(llm.requests[-1].messages)
        llm.say([ContextTooLong("too long")], "Fits")
        ended = await (await turns.start(ask("now", conversation_id=str(first.conversation_id)))).ended()

    assert ended.state is TurnState.COMPLETED
    assert len(llm.requests[-1].messages) <= whole + 2


async def test_a_message_that_can_never_fit_fails_and_leaves_the_conversation_usable(
    turns: TurnEngine, llm: ScriptedProvider
) -> None:
    turn = await turns.start(ask("x" * 200_000))
    ended = await turn.ended()
    after = await (await turns.start(ask("Hi", conversation_id=str(turn.conversation_id)))).ended()

    assert ended.error is not None
    assert ended.error["code"] == "context_length_exceeded"
    assert after.state is TurnState.COMPLETED


async def test_regenerating_adds_a_sibling_and_makes_it_active(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say("Hello!", "Good day!")
    first = await turns.start(ask("Hi"))
    await first.ended()
    await (await turns.regenerate(first.conversation_id, TurnOptions())).ended()

    stored = await storage.read(first.conversation_id)
    assert [m.content for m in stored.messages] == ["Hi", "Hello!", "Good day!"]
    assert [m.content for m in active_branch(stored)] == ["Hi", "Good day!"]
    assert sent(llm) == [("user", "Hi")]


async def test_editing_puts_another_message_in_its_place(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say("Hello!", "La la", "A poem")
    first = await turns.start(ask("Hi"))
    await first.ended()
    second = await turns.start(ask("Sing", conversation_id=str(first.conversation_id)))
    await second.ended()
    edit = ask("Recite", conversation_id=str(first.conversation_id))
    await (await turns.edit(second.user_message_id, edit)).ended()

    stored = await storage.read(first.conversation_id)
    assert [m.content for m in active_branch(stored)] == ["Hi", "Hello!", "Recite", "A poem"]
    assert len(stored.messages) == 6


async def test_editing_the_first_message_begins_the_branch_anew(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    first = await turns.start(ask("Hi"))
    await first.ended()
    await (await turns.edit(first.user_message_id, ask("Hey", conversation_id=str(first.conversation_id)))).ended()

    assert [m.content for m in active_branch(await storage.read(first.conversation_id))] == ["Hey", "Hey"]


async def test_the_branch_that_is_chosen_is_the_one_that_goes_on(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say("Hello!", "Good day!", "La la")
    first = await turns.start(ask("Hi"))
    ended = await first.ended()
    await (await turns.regenerate(first.conversation_id, TurnOptions())).ended()
    assert ended.message is not None
    await choose_head(turns, storage, first.conversation_id, ended.message.id)
    await (await turns.start(ask("Sing", conversation_id=str(first.conversation_id)))).ended()

    assert sent(llm) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sing")]


async def test_a_fork_is_a_conversation_of_its_own(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    first = await turns.start(ask("Hi"))
    await first.ended()
    forked = await fork(storage, first.conversation_id, plugins=load_plugins(installed=False))
    await (await turns.start(ask("Sing", conversation_id=str(forked.id)))).ended()

    assert len((await storage.read(first.conversation_id)).messages) == 2
    assert [content for _, content in await said(storage, forked.id)] == ["Hi", "Hi", "Sing", "Sing"]


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


async def test_stopping_lets_a_running_turn_finish(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    go_on = asyncio.Event()
    llm.say(["one ", go_on, "two"])
    async with engine(storage, llm) as turns:
        turn = await turns.start(ask("Count"))
        draining = asyncio.create_task(turns.drain(grace_s=30))
        await started_saying(turn)
        go_on.set()
        await draining

        with pytest.raises(ShuttingDown):
            await turns.start(ask("Another"))
    assert (await turn.ended()).state is TurnState.COMPLETED


async def test_stopping_keeps_what_was_said_when_the_grace_is_over(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say(["one ", asyncio.Event()])
    async with engine(storage, llm) as turns:
        turn = await turns.start(ask("Count"))
        await started_saying(turn)
        await turns.drain(grace_s=0)

    ended = await turn.ended()
    assert ended.state is TurnState.INCOMPLETE
    assert await said(storage, turn.conversation_id) == [("user", "Count"), ("assistant", "one ")]


class CrashingStorage(InMemoryStorage):
    """Keeps what a crash right after a turn's record is written would leave."""

    def __init__(self) -> None:
        super().__init__()
        self.crashed: asyncio.Future[InMemoryStorage] = asyncio.get_running_loop().create_future()

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        version = await super().put_record(namespace, name, value, durable=durable, if_version=if_version)
        if namespace == "turns":
            crashed = InMemoryStorage()
            crashed.__dict__.update(deepcopy({name: value for name, value in vars(self).items() if name != "crashed"}))
            self.crashed.set_result(crashed)
        return version


async def test_a_reply_is_recovered_as_interrupted_after_a_crash(llm: ScriptedProvider) -> None:
    storage = CrashingStorage()
    llm.say(["Once upon ", asyncio.Event()])
    async with engine(storage, llm, shutdown_grace_s=0) as turns:
        turn = await turns.start(ask("A story"))
        crashed = await storage.crashed
    async with engine(crashed, llm, recovers=True) as turns:
        status = await turns.status(turn.turn_id)

    assert (status.state, status.content) == (TurnState.INTERRUPTED, "Once upon ")
    assert await crashed.list_records("turns") == []


async def test_a_message_that_waited_is_there_after_a_crash(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    llm.say([asyncio.Event()])
    async with engine(storage, llm, shutdown_grace_s=0) as turns:
        running = await turns.start(ask("first"))
        waiting = await turns.start(ask("second", conversation_id=str(running.conversation_id)), idempotency_key="k")
        crashed = deepcopy(storage)
    async with engine(crashed, llm, recovers=True) as turns:
        again = await turns.start(ask("second", conversation_id=str(running.conversation_id)), idempotency_key="k")
        await again.ended()

    stored = await crashed.read(running.conversation_id)
    assert [m.content for m in stored.messages if m.role == "user"] == ["first", "second"]
    assert waiting.user_message_id == again.user_message_id
    assert sent(llm) == [("user", "second")]


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


def calling(*ids: str) -> list[Any]:
    calls = [
        {"index": place, "id": name, "type": "function", "function": {"name": "add", "arguments": "{}"}}
        for place, name in enumerate(ids)
    ]
    return [Delta(fields={"tool_calls": calls})]


@pytest.mark.parametrize(
    ("called", "answered", "param"),
    [
        ((), ("a",), "messages.0.tool_call_id"),
        (("a",), ("b",), "messages.0.tool_call_id"),
        (("a", "b"), ("a",), "messages.1"),
        (("a",), ("a", "a"), "messages.1.tool_call_id"),
    ],
)
async def test_results_that_do_not_answer_the_calls_are_refused_before_anything_is_stored(
    turns: TurnEngine,
    storage: InMemoryStorage,
    llm: ScriptedProvider,
    called: tuple[str, ...],
    answered: tuple[str, ...],
    param: str,
) -> None:
    llm.say(calling(*called) if called else "Hello!")
    first = await turns.start(ask("Hi"))
    await first.ended()
    results = [{"role": "tool", "tool_call_id": name, "content": "42"} for name in answered]
    with pytest.raises(InvalidRequest) as refused:
        await turns.start(
            TurnRequest.model_validate({"messages": results, "conversation_id": str(first.conversation_id)})
        )

    assert refused.value.param == param
    assert len((await storage.read(first.conversation_id)).messages) == 2
    assert len(llm.requests) == 1


async def test_results_of_all_calls_are_taken(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say(calling("a", "b"), "42 it is")
    first = await turns.start(ask("Hi"))
    await first.ended()
    results = [{"role": "tool", "tool_call_id": name, "content": "42"} for name in ("b", "a")]
    second = await turns.start(
        TurnRequest.model_validate({"messages": results, "conversation_id": str(first.conversation_id)})
    )

    assert (await second.ended()).state is TurnState.COMPLETED


async def test_a_result_without_a_conversation_is_refused(turns: TurnEngine) -> None:
    with pytest.raises(InvalidRequest, match="no call is open"):
        await turns.start(
            TurnRequest.model_validate({"messages": [{"role": "tool", "tool_call_id": "a", "content": "42"}]})
        )


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
