"""A key begins one turn, to however many engines it is sent."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID, uuid4

import pytest
from one_engine import ask
from two_engines import Cluster, said, until_said

from idolchat_core.coordination import event_relay
from idolchat_core.coordination.checkpoints import unfinished
from idolchat_core.coordination.contract import Occupant, UnfinishedTurn
from idolchat_core.coordination.local import StoredTurns
from idolchat_core.errors import (
    IdempotencyMismatch,
    ProviderUnavailable,
    StorageUnavailable,
)
from idolchat_core.events.events import TurnState
from idolchat_core.testing import ScriptedProvider
from idolchat_core.turns import idempotency
from idolchat_core.turns.engine import TurnEngine


async def test_the_same_key_runs_once_in_both_engines(
    cluster: Cluster, one: TurnEngine, other: TurnEngine, llm: ScriptedProvider, other_llm: ScriptedProvider
) -> None:
    may_end = asyncio.Event()
    llm.say("Hello!", [may_end, "La la la"])
    await (before := await one.start(ask("Hi"))).ended()
    running = await one.start(ask("Sing!", before), idempotency_key="k")
    attached = await other.start(ask("Sing!", before), idempotency_key="k")
    may_end.set()
    await attached.ended()
    replayed = await other.start(ask("Sing!", before), idempotency_key="k")

    for turn in (attached, replayed):
        assert (turn.turn_id, turn.content) == (running.turn_id, "La la la")
    assert other_llm.requests == []
    assert await said(cluster, before) == ["Hi", "Hello!", "Sing!", "La la la"]


@pytest.mark.parametrize("on_busy", ["enqueue", "interrupt"])
@pytest.mark.parametrize("is_busy", [False, True], ids=["free", "busy"])
async def test_a_key_that_another_engine_has_answered_is_told_again_where_the_conversation_was_known_before(
    cluster: Cluster,
    one: TurnEngine,
    other: TurnEngine,
    llm: ScriptedProvider,
    other_llm: ScriptedProvider,
    on_busy: str,
    is_busy: bool,
) -> None:
    other_llm.say("Hello!")
    llm.say("La la la", [asyncio.Event()])
    await (before := await other.start(ask("Hi"))).ended()
    await (first := await one.start(ask("Sing!", before, on_busy=on_busy), idempotency_key="k")).ended()
    running = await one.start(ask("And now?", before)) if is_busy else None
    again = await other.start(ask("Sing!", before, on_busy=on_busy), idempotency_key="k")
    await again.ended()

    assert (again.turn_id, again.content, len(other_llm.requests)) == (first.turn_id, "La la la", 1)
    assert (await said(cluster, before))[:5] == [
        "Hi",
        "Hello!",
        "Sing!",
        "La la la",
        *(["And now?"] if is_busy else []),
    ]
    assert running is None or not running.is_over


async def test_a_key_that_another_engine_answers_meanwhile_runs_once(
    cluster: Cluster, one: TurnEngine, other: TurnEngine, other_llm: ScriptedProvider
) -> None:
    request = ask("Sing!", conversation_id=str(uuid4()))
    turns = [await engine.start(request, idempotency_key="k") for engine in (one, other)]
    for turn in turns:
        await turn.ended()

    assert turns[0].turn_id == turns[1].turn_id
    assert other_llm.requests == []


async def test_a_key_that_is_sent_many_times_at_once_joins_the_turn_of_another_engine_each_time(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say(["La", asyncio.Event()])
    request = ask("Sing!", conversation_id=str(uuid4()))
    running = await one.start(request, idempotency_key="k")
    joined = await asyncio.gather(*(other.start(request, idempotency_key="k") for _ in range(3)))

    assert [turn.turn_id for turn in joined] == [running.turn_id] * 3


async def test_a_turn_is_cancelled_through_an_engine_to_which_its_key_is_just_sent_again(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say(["La", asyncio.Event()])
    request = ask("Sing!", conversation_id=str(uuid4()))
    running = await one.start(request, idempotency_key="k")
    joined, status = await asyncio.gather(other.start(request, idempotency_key="k"), other.cancel(running.turn_id))

    assert (status.turn_id, status.state) == (running.turn_id, TurnState.CANCELLED)
    assert (await joined.ended()).state is TurnState.CANCELLED


async def test_a_retry_that_is_asked_for_many_times_at_once_joins_that_of_another_engine_each_time(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say([ProviderUnavailable("away")], ["La", asyncio.Event()])
    await (failed := await one.start(ask("Sing!"))).ended()
    running = await one.retry(failed.turn_id)
    joined = await asyncio.gather(*(other.retry(failed.turn_id) for _ in range(3)))

    assert [turn.turn_id for turn in joined] == [running.turn_id] * 3


async def test_a_key_is_refused_for_another_request_while_its_turn_waits_in_another_engine(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say(["La", asyncio.Event()])
    running = await one.start(ask("Sing!"))
    await one.start(ask("Again!", running), idempotency_key="k")

    with pytest.raises(IdempotencyMismatch):
        await other.start(ask("Dance!", running), idempotency_key="k")


class Adopter(StoredTurns):
    """Those of a process that has the places of one that died, and takes a turn over when that is ``left``."""

    left: UnfinishedTurn | None
    looks: int
    has_looked_often: asyncio.Event

    async def find(self, turn_id: UUID) -> Occupant | None:
        turn = await super().find(turn_id)
        Adopter.looks += 1
        if self.looks > sys.getrecursionlimit():
            self.has_looked_often.set()
        return turn._replace(inbox=self._inbox) if turn is not None else None

    async def take_over(self) -> Sequence[UnfinishedTurn]:
        left, Adopter.left = self.left, None
        return [left] if left is not None else []


@pytest.fixture
async def adopting(
    cluster: Cluster, other_llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[TurnEngine]:
    """Run an engine that has the places of all turns, and looks without a pause for what becomes of them."""
    monkeypatch.setattr(idempotency, "LEFT_PAUSE_S", 0)
    Adopter.left, Adopter.looks, Adopter.has_looked_often = None, 0, asyncio.Event()
    async with cluster.engine("other", other_llm, turns=Adopter, recovers=True) as engine:
        yield engine


async def test_a_key_whose_turn_was_left_waits_until_that_is_taken_over_and_runs_again(
    cluster: Cluster,
    one: TurnEngine,
    adopting: TurnEngine,
    llm: ScriptedProvider,
    other_llm: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(idempotency, "LEFT_S", 3600)
    llm.say(["La", asyncio.Event()])
    other_llm.say("La la la")
    request = ask("Sing!", conversation_id=str(uuid4()))
    dead = await one.start(request, idempotency_key="k")
    await until_said(dead, "La")
    starting = asyncio.create_task(adopting.start(request, idempotency_key="k"))
    looking = asyncio.create_task(Adopter.has_looked_often.wait())
    await asyncio.wait({starting, looking}, return_when=asyncio.FIRST_COMPLETED)
    Adopter.left = unfinished(dead)
    await (turn := await starting).ended()

    assert await said(cluster, dead) == ["Sing!", "La", "La la la"]
    assert turn.turn_id != dead.turn_id


class SlowAdopter(Adopter):
    """Those of a process that does not know at once that the other one died."""

    async def find(self, turn_id: UUID) -> Occupant | None:
        turn = await StoredTurns.find(self, turn_id)
        Adopter.looks += 1
        if self.looks < 5:
            return turn
        self.has_looked_often.set()
        return turn._replace(inbox=self._inbox) if turn is not None else None


async def test_a_key_whose_process_was_killed_a_moment_ago_waits_until_that_is_known(
    cluster: Cluster,
    one: TurnEngine,
    llm: ScriptedProvider,
    other_llm: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(idempotency, "LEFT_S", 3600)
    monkeypatch.setattr(idempotency, "LEFT_PAUSE_S", 0)
    monkeypatch.setattr(event_relay, "OPENS_WITHIN_S", 0.01)
    Adopter.left, Adopter.looks, Adopter.has_looked_often = None, 0, asyncio.Event()
    llm.say(["La", asyncio.Event()])
    other_llm.say("La la la")
    request = ask("Sing!", conversation_id=str(uuid4()))
    dead = await one.start(request, idempotency_key="k")
    await until_said(dead, "La")
    cluster.cut("one")
    async with cluster.engine("other", other_llm, turns=SlowAdopter, recovers=True) as adopting:
        starting = asyncio.create_task(adopting.start(request, idempotency_key="k"))
        looking = asyncio.create_task(Adopter.has_looked_often.wait())
        await asyncio.wait({starting, looking}, return_when=asyncio.FIRST_COMPLETED)
        Adopter.left = unfinished(dead)
        await (await starting).ended()

    assert await said(cluster, dead) == ["Sing!", "La", "La la la"]


async def test_a_key_whose_turn_was_left_and_is_not_taken_over_is_told_to_come_back(
    one: TurnEngine, adopting: TurnEngine, llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LEFT_S", 0)
    llm.say(["La", asyncio.Event()])
    request = ask("Sing!", conversation_id=str(uuid4()))
    await one.start(request, idempotency_key="k")

    with pytest.raises(StorageUnavailable, match="nobody who answers runs it; send again in a moment"):
        await adopting.start(request, idempotency_key="k")
