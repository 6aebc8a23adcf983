"""What an engine does with the turns and calls of one that is gone."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from one_engine import ask
from two_engines import Cluster, said, until_said, until_stored

from idolchat_core.coordination.checkpoints import unfinished
from idolchat_core.coordination.contract import TurnTakenOver, UnfinishedTurn, Write
from idolchat_core.coordination.local import StoredTurns
from idolchat_core.events.events import TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.spending.daily_totals import DailyTotals, read_day
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.testing import ScriptedProvider, until
from idolchat_core.turns.engine import TurnEngine


class TakenOver(StoredTurns):
    """Those of a process that was taken for dead."""

    async def end(self, conversation_id: UUID, turn_id: UUID, write: Write | None = None, **more: Any) -> str | None:
        if write is not None:
            raise TurnTakenOver
        return await super().end(conversation_id, turn_id, write, **more)


async def test_a_turn_that_another_process_has_ended_is_told_as_interrupted_and_stored_by_nobody_else(
    cluster: Cluster, llm: ScriptedProvider
) -> None:
    llm.say("La la la")
    async with cluster.engine("one", llm, turns=TakenOver) as one:
        turn = await one.start(ask("Sing!"))
        ended = await turn.ended()

    assert ended.state is TurnState.INTERRUPTED
    assert await said(cluster, turn) == ["Sing!"]


class Successor(StoredTurns):
    """Those of a process that finds one turn of a dead one, in its second look."""

    left: UnfinishedTurn | None = None
    looks = 0

    async def take_over(self) -> Sequence[UnfinishedTurn]:
        self.looks += 1
        return [self.left] if self.left and self.looks == 2 else []


async def test_only_calls_of_the_dead_are_settled_where_others_run(
    cluster: Cluster, one: TurnEngine, llm: ScriptedProvider, other_llm: ScriptedProvider
) -> None:
    for _ in range(2):
        llm.say(["La", asyncio.Event()])
    alive, dead = [await one.start(ask("Sing!")) for _ in range(2)]
    await until_said(dead, "La")
    Successor.left = unfinished(dead)
    async with cluster.engine("other", other_llm, turns=Successor, recovers=True):
        await until_stored(cluster, dead)
        [day] = await cluster.storage.list_logs("spending")
        book = await until_settled(cluster, day, dead)

    assert set(book.opened) == {str(alive.message_id)}


class StoresLater(Successor):
    """Stores nothing before it may: until then, others find what it has taken over as it was left."""

    may_store: asyncio.Event

    async def end(
        self, conversation_id: UUID, turn_id: UUID, write: Write | None = None, *, call: MeteredCall | None = None
    ) -> str | None:
        await self.may_store.wait()
        return await super().end(conversation_id, turn_id, write, call=call)


async def test_the_calls_of_the_dead_are_settled_before_their_turns_are_stored_and_nobody_knows_whose_they_were(
    cluster: Cluster, one: TurnEngine, llm: ScriptedProvider, other_llm: ScriptedProvider
) -> None:
    llm.say(["La", asyncio.Event()])
    dead = await one.start(ask("Sing!"))
    await until_said(dead, "La")
    StoresLater.left, StoresLater.may_store = unfinished(dead), asyncio.Event()
    async with cluster.engine("other", other_llm, turns=StoresLater, recovers=True):
        [day] = await cluster.storage.list_logs("spending")
        try:
            book = await until_settled(cluster, day, dead)
            before = await said(cluster, dead)
        finally:
            StoresLater.may_store.set()
        await until_stored(cluster, dead)

    assert before == ["Sing!"]
    assert (book.total.calls, book.total.estimated, book.opened) == (1, 1, {})
    assert book.total.input_tokens > 0 < book.total.output_tokens


async def until_settled(cluster: Cluster, day: str, turn: LiveTurn) -> DailyTotals:
    def is_settled(read: tuple[DailyTotals, object]) -> bool:
        return str(turn.message_id) not in read[0].opened

    book, _ = await until("a call that is settled", lambda: read_day(cluster.storage, day), is_settled)
    return book
