"""Continuing a reply: the wire has what is added, the document the whole."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

import pytest
from one_engine import ask_all, sent

from idolchat_core import Delta, InvalidRequest, Message
from idolchat_core.conversations.branches import active_branch, choose_head
from idolchat_core.errors import IdempotencyMismatch, ProviderUnavailable, TurnNotRetryable
from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.prompt.parts import PromptPart
from idolchat_core.prompt.sources import PromptSource, PromptTurn
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnOptions


@pytest.fixture
def llm() -> ScriptedProvider:
    return ScriptedProvider("Once upon")


def engine(storage: InMemoryStorage, llm: ScriptedProvider, *, recovers: bool = False) -> TurnEngine:
    return TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0), recovers=recovers)


@pytest.fixture
async def turns(storage: InMemoryStorage, llm: ScriptedProvider) -> AsyncGenerator[TurnEngine]:
    async with engine(storage, llm) as opened:
        yield opened


async def told(turns: TurnEngine, *messages: tuple[str, str], **more: Any) -> TurnEnded:
    return await (await turns.start(ask_all(*messages, **more))).ended()


async def a_reply(turns: TurnEngine) -> tuple[UUID, Message]:
    turn = await turns.start(ask_all(("user", "Tell me a story")))
    ended = await turn.ended()
    assert ended.message is not None
    return turn.conversation_id, ended.message


async def branch(storage: InMemoryStorage, conversation_id: UUID) -> list[tuple[str, Any]]:
    conversation = await storage.read(conversation_id)
    return [(message.role, message.content) for message in active_branch(conversation)]


async def added(turn: LiveTurn) -> str:
    return "".join([e.content async for _, batch in turn.follow() for e in batch if isinstance(e, Delta)])


async def test_a_continued_reply_is_a_sibling_with_the_whole_text(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    conversation_id, reply = await a_reply(turns)
    llm.say(" a time")
    turn = await turns.continue_reply(conversation_id, reply.id, TurnOptions())
    ended = await turn.ended()

    question, before, whole = (await storage.read(conversation_id)).messages
    assert await added(turn) == " a time"
    assert (before.content, whole.content) == ("Once upon", "Once upon a time")
    assert (whole.parent_id, whole.continues) == (question.id, reply.id)
    assert (ended.message, turn.user_message_id) == (whole, question.id)


async def test_the_provider_is_asked_to_go_on_after_the_text(turns: TurnEngine, llm: ScriptedProvider) -> None:
    conversation_id, reply = await a_reply(turns)
    llm.say(" a time")
    await (await turns.continue_reply(conversation_id, reply.id, TurnOptions())).ended()
    continued = sent(llm)
    await told(turns, ("user", "And then?"), conversation_id=conversation_id)

    assert continued == [("user", "Tell me a story"), ("assistant", "Once upon")]
    assert sent(llm)[:2] == [("user", "Tell me a story"), ("assistant", "Once upon a time")]


class Listener(PromptSource):
    """Says nothing, and keeps what it was asked for."""

    name = "listener"

    def __init__(self) -> None:
        self.turns: list[PromptTurn] = []

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        self.turns.append(turn)
        return ()


async def test_prompt_sources_are_told_that_a_reply_is_continued(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    listener = Listener()
    async with TurnEngine(storage, llm, settings=CoreSettings(), prompt_sources=[listener]) as turns:
        conversation_id, reply = await a_reply(turns)
        continued = await turns.continue_reply(conversation_id, reply.id, TurnOptions())
        await continued.ended()

    assert [turn.generation for turn in listener.turns] == ["normal", "continue"]
    assert [entry.id for entry in listener.turns[1].history] == [continued.user_message_id]


async def test_a_reply_that_is_not_the_chosen_one_can_be_continued(turns: TurnEngine, llm: ScriptedProvider) -> None:
    conversation_id, reply = await a_reply(turns)
    llm.say(" a time")
    await (await turns.regenerate(conversation_id, TurnOptions())).ended()
    await (await turns.continue_reply(conversation_id, reply.id, TurnOptions())).ended()

    assert sent(llm)[-1] == ("assistant", "Once upon")


@pytest.mark.parametrize(
    ("steps", "state", "kept"),
    [
        ([" a", ProviderUnavailable("down")], TurnState.INCOMPLETE, "Once upon a"),
        ([ProviderUnavailable("down")], TurnState.FAILED, "Once upon"),
    ],
)
async def test_a_continuation_that_fails_keeps_what_was_said(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage, steps: list[Any], state: TurnState, kept: str
) -> None:
    conversation_id, reply = await a_reply(turns)
    llm.say(steps, " a time")
    failed = await turns.continue_reply(conversation_id, reply.id, TurnOptions())
    ended = await failed.ended()
    left = await branch(storage, conversation_id)
    again = await (await turns.retry(failed.turn_id)).ended()

    assert (ended.state, left[-1]) == (state, ("assistant", kept))
    assert again.message is not None
    assert (again.message.content, again.message.continues) == ("Once upon a time", reply.id)


async def test_a_continuation_that_is_cancelled_keeps_what_was_said(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    conversation_id, reply = await a_reply(turns)
    llm.say([" a", asyncio.Event()])
    turn = await turns.continue_reply(conversation_id, reply.id, TurnOptions())
    async for _, batch in turn.follow():
        if isinstance(batch[-1], Delta):
            break
    status = await turns.cancel(turn.turn_id)

    assert (status.state, status.content) == (TurnState.CANCELLED, "Once upon a")
    assert (await branch(storage, conversation_id))[-1] == ("assistant", "Once upon a")


async def test_a_continuation_that_a_crash_cuts_has_the_whole_text(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    crashed = engine(storage, llm)
    await crashed.__aenter__()
    conversation_id, reply = await a_reply(crashed)
    llm.say([asyncio.Event()])
    turn = await crashed.continue_reply(conversation_id, reply.id, TurnOptions())
    left = deepcopy(storage)
    async with engine(left, llm, recovers=True) as turns:
        status = await turns.status(turn.turn_id)
    await crashed.__aexit__(None, None, None)

    found = (await left.read(conversation_id)).messages[-1]
    assert (status.state, status.content) == (TurnState.INTERRUPTED, "Once upon")
    assert (found.content, str(found.continues)) == ("Once upon", str(reply.id))


async def test_what_is_no_reply_or_has_been_left_behind_is_not_continued(
    turns: TurnEngine, storage: InMemoryStorage
) -> None:
    conversation_id, reply = await a_reply(turns)
    question = (await storage.read(conversation_id)).messages[0]
    with pytest.raises(TurnNotRetryable, match="no reply"):
        await turns.continue_reply(conversation_id, question.id, TurnOptions())
    with pytest.raises(InvalidRequest, match="no message"):
        await turns.continue_reply(conversation_id, uuid4(), TurnOptions())
    await told(turns, ("user", "Stop"), conversation_id=conversation_id)
    with pytest.raises(TurnNotRetryable, match="make that reply the head"):
        await turns.continue_reply(conversation_id, reply.id, TurnOptions())

    await choose_head(turns, storage, conversation_id, reply.id)
    assert (await (await turns.continue_reply(conversation_id, reply.id, TurnOptions())).ended()).message is not None


HISTORY = [("user", "Tell me a story"), ("assistant", "Once upon")]


@pytest.mark.parametrize("messages", [HISTORY[1:], HISTORY])
async def test_a_request_that_ends_with_the_last_reply_continues_it(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider, messages: list[tuple[str, str]]
) -> None:
    conversation_id, reply = await a_reply(turns)
    llm.say(" a time")
    ended = await told(turns, *messages, conversation_id=conversation_id)

    assert ended.message is not None
    assert (ended.message.content, ended.message.continues) == ("Once upon a time", reply.id)
    assert len((await storage.read(conversation_id)).messages) == 3


@pytest.mark.parametrize("before", [[], HISTORY[:1]])
async def test_a_request_that_ends_with_another_text_makes_it_a_sibling_and_continues_that(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider, before: list[tuple[str, str]]
) -> None:
    conversation_id, _ = await a_reply(turns)
    llm.say(" a time")
    ended = await told(turns, *before, ("assistant", "There was"), conversation_id=conversation_id)

    question, _, written, whole = (await storage.read(conversation_id)).messages
    assert sent(llm) == [("user", "Tell me a story"), ("assistant", "There was")]
    assert (written.content, written.origin, written.parent_id) == ("There was", "client", question.id)
    assert (whole.content, whole.continues, whole.parent_id) == ("There was a time", written.id, question.id)
    assert ended.message == whole


async def test_a_conversation_can_begin_with_a_reply_to_continue(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    turn = await turns.start(ask_all(("user", "Sing"), ("assistant", "La")))
    await turn.ended()

    assert sent(llm) == [("user", "Sing"), ("assistant", "La")]
    assert await branch(storage, turn.conversation_id) == [("user", "Sing"), ("assistant", "LaOnce upon")]
    with pytest.raises(InvalidRequest, match="answer"):
        await turns.start(ask_all(("assistant", "La")))


async def test_a_key_continues_once_and_is_remembered_over_a_restart(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    async with engine(storage, llm) as turns:
        conversation_id, _ = await a_reply(turns)
        llm.say(" a time")
        request = ask_all(("assistant", "Once upon"), conversation_id=conversation_id)
        first = await (await turns.start(request, idempotency_key="k")).ended()
    async with engine(storage, llm) as turns:
        again = await turns.start(request, idempotency_key="k")
        ended = await again.ended()
        with pytest.raises(IdempotencyMismatch):
            await turns.start(ask_all(("assistant", "Else"), conversation_id=conversation_id), idempotency_key="k")

    assert (await added(again), ended.message, len(llm.requests)) == (" a time", first.message, 2)


async def test_a_key_whose_continuation_failed_runs_again(storage: InMemoryStorage) -> None:
    llm = ScriptedProvider([ProviderUnavailable("down")], " la")
    request = ask_all(("user", "Sing"), ("assistant", "La"))
    async with engine(storage, llm) as turns:
        failed = await turns.start(request, idempotency_key="k")
        await failed.ended()
    async with engine(storage, llm) as turns:
        again = await (await turns.start(request, idempotency_key="k")).ended()

    assert again.message is not None
    assert again.message.content == "La la"
    assert [role for role, _ in await branch(storage, failed.conversation_id)] == ["user", "assistant"]
