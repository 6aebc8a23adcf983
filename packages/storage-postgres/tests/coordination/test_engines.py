"""Engines of two processes, whose turns follow each other in one conversation."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from itertools import cycle, islice
from random import Random
from uuid import UUID

import pytest
from postgres_processes import HEIR, OpenProcess, Process

from idolchat_core import Conversation, CoreSettings, Delta, Storage, TurnState, new_id, utc_now
from idolchat_core.conversations.branches import active_branch, choose_head
from idolchat_core.conversations.messages import delete_message
from idolchat_core.conversations.user_data import forget_turns
from idolchat_core.prompt.history import History
from idolchat_core.prompt.sendable import joined_roles, sendable
from idolchat_core.testing import ScriptedProvider, a_message
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnOptions, TurnRequest

SETTINGS = CoreSettings(shutdown_grace_s=0)
CHANGED = "another process has changed the conversation"


@pytest.fixture
async def processes(process: Process, open_process: OpenProcess) -> Sequence[Process]:
    return [process, await open_process()]


@pytest.fixture
def llm() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
async def engines(processes: Sequence[Process], llm: ScriptedProvider) -> AsyncGenerator[Sequence[TurnEngine]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(an_engine(process, llm)) for process in processes]


@pytest.fixture
def storage(process: Process) -> Storage:
    return process.storage


def an_engine(process: Process, llm: ScriptedProvider) -> TurnEngine:
    return TurnEngine(process.storage, llm, settings=SETTINGS, coordination=process.coordination)


def ask(conversation_id: UUID, text: str) -> TurnRequest:
    messages = [{"role": "user", "content": text}]
    return TurnRequest.model_validate({"messages": messages, "conversation_id": str(conversation_id)})


async def branch_of(storage: Storage, conversation_id: UUID) -> list[object]:
    """Return what is said in the active branch."""
    return [message.content for message in active_branch(await storage.read(conversation_id))]


async def test_each_process_puts_its_message_behind_what_the_other_has_added_and_sends_all_of_it(
    engines: Sequence[TurnEngine], llm: ScriptedProvider, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "idolchat_core")
    conversation_id = new_id()
    for number, engine in enumerate(islice(cycle(engines), 9)):
        await (await engine.start(ask(conversation_id, f"Song {number}"))).ended()

        sent = [message["content"] for message in llm.requests[-1].messages]
        assert sent == (await branch_of(storage, conversation_id))[:-1]
        assert len(sent) == 2 * number + 1
    assert not [record for record in caplog.records if record.message == CHANGED]


async def test_a_key_that_the_other_process_has_answered_is_told_again_and_nothing_is_added(
    engines: Sequence[TurnEngine], llm: ScriptedProvider, storage: Storage
) -> None:
    one, other = engines
    conversation_id = new_id()
    for engine in engines:
        await (await engine.start(ask(conversation_id, "Hi"))).ended()
    first = await one.start(ask(conversation_id, "Sing!"), idempotency_key="k")
    await first.ended()
    await (await one.start(ask(conversation_id, "More!"))).ended()
    again = await other.start(ask(conversation_id, "Sing!"), idempotency_key="k")
    await again.ended()

    assert (again.turn_id, again.content) == (first.turn_id, first.content)
    assert len(await branch_of(storage, conversation_id)) == 8
    assert len(llm.requests) == 4


async def erase(process: Process, conversation_id: UUID) -> None:
    """Do what erasing a user does to a conversation."""
    await process.storage.delete(conversation_id)
    await forget_turns(process.storage, [conversation_id])


async def take_over(process: Process, conversation_id: UUID) -> None:
    """Take the turns of a process that has fallen silent."""
    await process.may_judge()
    (turn,) = await process.coordination.turns.take_over()
    await process.coordination.turns.end(conversation_id, turn.turn_id)


@pytest.mark.parametrize(
    ("others_do", "told"),
    [
        (erase, "a turn was removed with its conversation or user while it ran"),
        (take_over, "another process took this one for dead and has ended a turn"),
    ],
)
async def test_the_log_says_why_a_running_turn_is_not_stored(
    process: Process,
    open_process: OpenProcess,
    llm: ScriptedProvider,
    caplog: pytest.LogCaptureFixture,
    others_do: Callable[[Process, UUID], Awaitable[None]],
    told: str,
) -> None:
    conversation_id, may_go_on = new_id(), asyncio.Event()
    llm.say([Delta("La "), may_go_on, Delta("la")])
    async with an_engine(process, llm) as engine:
        turn = await engine.start(ask(conversation_id, "Sing!"))
        await llm.wait_for_replies(1)
        await process.falls_silent()
        await others_do(await open_process(timing=HEIR), conversation_id)
        may_go_on.set()

        assert (await turn.ended()).state is TurnState.INTERRUPTED
    assert told in [record.message for record in caplog.records]
    assert len([record for record in caplog.records if record.name == "idolchat_core.turns.runner"]) == 1


async def test_results_of_tools_that_the_other_process_has_called_are_taken(
    engines: Sequence[TurnEngine], llm: ScriptedProvider, storage: Storage
) -> None:
    one, other = engines
    conversation_id = new_id()
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "sing", "arguments": "{}"}}
    llm.say("Hello!", "Good evening!", [Delta("", {"tool_calls": [call]})], "La la la")
    for engine in engines:
        await (await engine.start(ask(conversation_id, "Hi"))).ended()
    await (await one.start(ask(conversation_id, "Sing!"))).ended()
    result = {"role": "tool", "tool_call_id": "call_1", "content": "sung"}
    asked = {"messages": [result], "conversation_id": str(conversation_id)}
    await (turn := await other.start(TurnRequest.model_validate(asked))).ended()

    assert turn.content == "La la la"
    assert [message["role"] for message in llm.requests[-1].messages][-3:] == ["user", "assistant", "tool"]


async def test_characters_of_a_group_speak_in_turn_whichever_process_is_asked(
    processes: Sequence[Process], llm: ScriptedProvider, storage: Storage
) -> None:
    mika, rin, now = new_id(), new_id(), utc_now()
    where = Conversation(id=new_id(), created_at=now, updated_at=now, character_id=mika, next_speaker="in_turn")
    await storage.create(where)
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(an_engine(process, llm)) for process in processes]
        for engine in engines:
            await (await engine.start(ask(where.id, "Hi"))).ended()
        members = {"character_ids": [str(mika), str(rin)]}
        await storage.update(where.id, members, expected_count=4)
        for engine in islice(cycle(engines), 6):
            await (await engine.start(ask(where.id, "Sing!"))).ended()
        called = {"messages": [{"role": "user", "content": "You!"}], "next_character_id": str(rin)}
        asked = TurnRequest.model_validate({**called, "conversation_id": str(where.id)})
        await (await engines[0].start(asked)).ended()

    spoken = [message.character_id for message in (await storage.read(where.id)).messages if message.role != "user"]
    assert spoken[2:] == [*islice(cycle([rin, mika]), 6), rin]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_either_process_does_to_a_conversation_a_turn_is_sent_what_one_that_reads_it_anew_would_be(
    engines: Sequence[TurnEngine], llm: ScriptedProvider, storage: Storage, seed: int
) -> None:
    random, conversation_id = Random(seed), new_id()
    await (await engines[0].start(ask(conversation_id, "Hi"))).ended()
    for number in range(30):
        engine, text = random.choice(engines), f"Song {number}"
        document = await storage.read(conversation_id)
        said = [message for message in document.messages if message.deleted_at is None]
        asked = ask(conversation_id, text)
        questions = [message for message in said if message.role == "user"]
        what = random.choice(["asks", "asks", "edits", "regenerates", "answers again", "turns", "deletes", "dies"])
        match what:
            case "edits":
                edited = random.choice([one for one in active_branch(document) if one.role == "user"])
                turn = await engine.edit(edited.id, asked)
            case "regenerates" if questions and questions[-1] in active_branch(document)[-2:]:
                turn = await engine.regenerate(conversation_id, TurnOptions())
            case "answers again" if questions:
                turn = await engine.answer_again(conversation_id, random.choice(questions).id, TurnOptions())
            case "turns":
                await choose_head(engine, storage, conversation_id, random.choice(document.messages).id)
                continue
            case "deletes" if len(said) > 2:
                await delete_message(engine, storage, conversation_id, random.choice(said).id)
                continue
            case "dies" if document.messages[-1].role == "assistant":  # a third process, before it has answered
                left = a_message(text, turn_id=new_id())
                count, at = len(document.messages), document.updated_at
                await storage.append(conversation_id, [left], expected_count=count, updated_at=at)
                continue
            case _:
                turn = await engine.start(asked, idempotency_key=random.choice([None, text]))
        await turn.ended()
        *branch, reply = History(await storage.read_page(conversation_id, limit=1000)).path
        assert reply.id == turn.message_id
        assert llm.requests[-1].messages == joined_roles([entry.sent for entry in sendable(branch)])
    document = await storage.read(conversation_id)
    assert len({message.id for message in document.messages}) == len(document.messages)
