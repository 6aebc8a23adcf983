"""Turns of two engines in one conversation: who waits for whom, and what each knows of the other's messages."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from one_engine import ask
from two_engines import Cluster, said, until_said

from idolchat_core.conversations.branches import delete
from idolchat_core.coordination.local import StoredTurns
from idolchat_core.errors import (
    ConversationBusy,
    ConversationNotFound,
    StorageConflict,
)
from idolchat_core.events.events import TurnState
from idolchat_core.testing import ScriptedProvider
from idolchat_core.turns.engine import TurnEngine


async def test_a_turn_waits_for_one_of_another_engine_and_knows_its_reply(
    cluster: Cluster, one: TurnEngine, other: TurnEngine, llm: ScriptedProvider, other_llm: ScriptedProvider
) -> None:
    may_end = asyncio.Event()
    llm.say("Hello!", [may_end, "La la la"])
    other_llm.say("Good night!")
    await (before := await one.start(ask("Hi"))).ended()
    running = await one.start(ask("Sing!", before))
    waiting = await other.start(ask("Bye", running))
    assert waiting.state is TurnState.QUEUED
    may_end.set()
    await waiting.ended()

    asked = [message["content"] for message in other_llm.requests[-1].messages]
    assert asked == ["Hi", "Hello!", "Sing!", "La la la", "Bye"]
    assert await said(cluster, running) == [*asked, "Good night!"]


class LooksWhenTold(StoredTurns):
    """Finds that a place has come when it is told to look, and never by itself."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._is_told = asyncio.Event()

    def look_again(self) -> None:
        self._is_told.set()

    async def reached(self, conversation_id: UUID, turn_id: UUID) -> bool:
        await self._is_told.wait()
        return await super().reached(conversation_id, turn_id)


async def test_the_engine_that_ran_a_turn_tells_the_one_whose_turn_waits_for_it_to_look_again(
    cluster: Cluster, one: TurnEngine, llm: ScriptedProvider, other_llm: ScriptedProvider
) -> None:
    may_end = asyncio.Event()
    llm.say(["La la", may_end])
    other_llm.say("Good night!")
    running = await one.start(ask("Sing!"))
    async with cluster.engine("other", other_llm, turns=LooksWhenTold) as other:
        waiting = await other.start(ask("Bye", running))
        may_end.set()
        await waiting.ended()

    assert waiting.content == "Good night!"


async def test_one_that_waits_is_cancelled_from_another_engine(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say([asyncio.Event()])
    running = await one.start(ask("Sing!"))
    waiting = await one.start(ask("Again!", running))
    status = await other.cancel(waiting.turn_id)
    await other.cancel(running.turn_id)

    assert status.state is TurnState.CANCELLED
    assert (await waiting.ended()).state is TurnState.CANCELLED


@pytest.mark.parametrize(("on_busy", "prompt"), [("interrupt", ["Sing!", "La la", "Stop!"]), ("rollback", ["Stop!"])])
async def test_a_turn_makes_way_for_one_of_another_engine(
    one: TurnEngine,
    other: TurnEngine,
    llm: ScriptedProvider,
    other_llm: ScriptedProvider,
    on_busy: str,
    prompt: list[str],
) -> None:
    llm.say(["La la", asyncio.Event()])
    other_llm.say("As you wish")
    running = await one.start(ask("Sing!"))
    await until_said(running, "La la")
    await (stopping := await other.start(ask("Stop!", running, on_busy=on_busy))).ended()

    assert (await running.ended()).state is TurnState.CANCELLED
    assert stopping.content == "As you wish"
    assert [message["content"] for message in other_llm.requests[-1].messages] == prompt


async def test_who_will_not_wait_is_refused_while_another_engine_has_a_turn(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say([asyncio.Event()])
    running = await one.start(ask("Sing!"))
    with pytest.raises(ConversationBusy):
        await other.start(ask("Now!", running, on_busy="reject"))

    assert await other.is_busy(running.conversation_id)


async def test_a_conversation_is_deleted_while_another_engine_runs_a_turn_in_it(
    cluster: Cluster, one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say(["La la", asyncio.Event()])
    running = await one.start(ask("Sing!"))
    await delete(other, cluster.storage, running.conversation_id)

    assert (await running.ended()).state is TurnState.CANCELLED
    with pytest.raises(ConversationNotFound):
        await cluster.storage.read(running.conversation_id)


class Paging(StoredTurns):
    """Gives the newest page with a conflict, as a database does that answers both at once."""

    async def begin(self, conversation_id: UUID, *given: Any, **more: Any) -> str | None:
        try:
            return await super().begin(conversation_id, *given, **more)
        except StorageConflict as conflict:
            page = await self._storage.read_page(conversation_id, limit=64)
            raise StorageConflict(str(conflict), page=page) from None


async def test_what_another_engine_has_stored_is_not_read_again_where_the_store_gives_it(
    cluster: Cluster, one: TurnEngine, other_llm: ScriptedProvider
) -> None:
    async with cluster.engine("other", other_llm, turns=Paging) as other:
        await (first := await other.start(ask("Hi"))).ended()
        await (await one.start(ask("Sing!", first))).ended()
        before = cluster.storage.pages
        await (await other.start(ask("Again!", first))).ended()

    assert cluster.storage.pages == before + 1
    assert [message["content"] for message in other_llm.requests[-1].messages] == [
        "Hi",
        "Hi",
        "Sing!",
        "Sing!",
        "Again!",
    ]
