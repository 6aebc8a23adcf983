"""Two engines on one storage, which find each other's turns by the contracts alone."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import pytest

from idolchat_core.conversations.branches import delete
from idolchat_core.coordination import event_relay
from idolchat_core.coordination.checkpoints import Checkpoints, unfinished
from idolchat_core.coordination.contract import Bus, Coordination, Occupant, TurnTakenOver, UnfinishedTurn, Write
from idolchat_core.coordination.local import LocalBus, LocalCounters, StoredTurns
from idolchat_core.coordination.queue import ConversationQueue
from idolchat_core.errors import (
    ConversationBusy,
    ConversationNotFound,
    IdempotencyMismatch,
    ProviderUnavailable,
    StorageConflict,
    StorageUnavailable,
)
from idolchat_core.events import live_turn
from idolchat_core.events.events import Event, TurnEnded, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta
from idolchat_core.models import Page
from idolchat_core.settings import CoreSettings
from idolchat_core.spending.daily_totals import DailyTotals, read_day
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.testing import FaultyBus, InMemoryStorage, ScriptedProvider
from idolchat_core.turns import idempotency, remote_turns
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest


class SharedInMemory(InMemoryStorage):
    """Counts the pages that are read of it."""

    is_shared = True
    pages = 0

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        self.pages += 1
        return await super().read_page(conversation_id, limit=limit, before=before)


class Cluster:
    """What the engines share; each has an inbox and a provider of its own."""

    def __init__(self) -> None:
        self.storage = SharedInMemory()
        self._queue = ConversationQueue()
        self._checkpoints = Checkpoints(self.storage)
        self._peers: dict[str, Callable[[bytes], None]] = {}

    def cut(self, inbox: str) -> None:
        """Have nothing arrive at an inbox any more, and nothing come from it."""
        self._peers.pop(inbox, None)
        for peer in list(self._peers):
            self._peers[peer] = lambda _: None

    @asynccontextmanager
    async def engine(
        self,
        inbox: str,
        llm: ScriptedProvider,
        *,
        turns: type[StoredTurns] = StoredTurns,
        recovers: bool = False,
        faults: Mapping[str, Any] = MappingProxyType({}),
    ) -> AsyncGenerator[TurnEngine]:
        bus: Bus = LocalBus(inbox, peers=self._peers)
        coordination = Coordination(
            turns=turns(self.storage, inbox=inbox, queue=self._queue, checkpoints=self._checkpoints),
            bus=FaultyBus(bus, **faults),
            counters=LocalCounters(),
        )
        settings = CoreSettings(shutdown_grace_s=0)
        async with TurnEngine(
            self.storage, llm, settings=settings, coordination=coordination, recovers=recovers
        ) as engine:
            yield engine


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def other_llm() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
async def one(cluster: Cluster, llm: ScriptedProvider) -> AsyncGenerator[TurnEngine]:
    async with cluster.engine("one", llm) as engine:
        yield engine


@pytest.fixture
async def other(cluster: Cluster, other_llm: ScriptedProvider) -> AsyncGenerator[TurnEngine]:
    async with cluster.engine("other", other_llm) as engine:
        yield engine


def ask(text: str, turn: LiveTurn | None = None, **more: Any) -> TurnRequest:
    where = {"conversation_id": str(turn.conversation_id)} if turn else {}
    return TurnRequest.model_validate({"messages": [{"role": "user", "content": text}], **where, **more})


async def said(cluster: Cluster, turn: LiveTurn) -> list[Any]:
    conversation = await cluster.storage.read(turn.conversation_id)
    return [message.content for message in conversation.messages]


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


@pytest.mark.parametrize("faults", [{}, {"drops": 1.0}, {"doubles": 1.0}, {"reorders": 1.0}], ids=str)
async def test_a_turn_is_cancelled_from_another_engine_whatever_the_bus_does(
    cluster: Cluster, one: TurnEngine, llm: ScriptedProvider, other_llm: ScriptedProvider, faults: dict[str, float]
) -> None:
    llm.say(["La la", asyncio.Event()])
    running = await one.start(ask("Sing!"))
    async with cluster.engine("other", other_llm, faults=faults) as other:
        status = await other.cancel(running.turn_id)

    assert status.state is TurnState.CANCELLED
    assert (await running.ended()).state is TurnState.CANCELLED


async def test_the_engine_that_ran_a_turn_tells_who_has_cancelled_it_that_it_is_over(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_turns, "LOOK_EVERY_S", 3600)
    llm.say(["La la", asyncio.Event()])
    running = await one.start(ask("Sing!"))

    assert (await other.cancel(running.turn_id)).state is TurnState.CANCELLED


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


async def until_said(turn: LiveTurn, text: str) -> None:
    async for _ in turn.follow():
        if turn.content == text:
            return


async def test_who_will_not_wait_is_refused_while_another_engine_has_a_turn(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say([asyncio.Event()])
    running = await one.start(ask("Sing!"))
    with pytest.raises(ConversationBusy):
        await other.start(ask("Now!", running, on_busy="reject"))

    assert await other.is_busy(running.conversation_id)


async def test_how_a_turn_of_another_engine_stands_is_known(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say([asyncio.Event()])
    running = await one.start(ask("Sing!"))
    waiting = await one.start(ask("Again!", running))

    assert (await other.status(running.turn_id)).state is TurnState.RUNNING
    assert (await other.status(waiting.turn_id)).state is TurnState.QUEUED


async def events_of(turn: LiveTurn) -> list[Event]:
    return [event async for _, batch in turn.follow() for event in batch]


def as_json(ended: TurnEnded) -> str:
    return ended.message.model_dump_json(exclude_unset=True) if ended.message else ""


FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "drops": {"drops": 0.3, "seed": 1},
    "doubles": {"doubles": 0.5, "seed": 2},
    "reorders": {"reorders": 0.3, "seed": 3},
    "all": {"drops": 0.2, "doubles": 0.2, "reorders": 0.2, "seed": 4},
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
async def test_a_turn_of_another_engine_is_followed_from_its_beginning_with_the_same_events(
    cluster: Cluster, llm: ScriptedProvider, other_llm: ScriptedProvider, faults: dict[str, Any]
) -> None:
    may_go_on = asyncio.Event()
    function = {"name": "sing", "arguments": "{}"}
    call = {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}
    deltas = [Delta(f"{number} ", {"reasoning": "hm"} if number == 1 else None, "m") for number in range(60)]
    llm.say([*deltas[:30], may_go_on, *deltas[30:], Delta("", call)])
    async with (
        cluster.engine("one", llm, faults=faults) as one,
        cluster.engine("other", other_llm, faults=faults) as other,
    ):
        running = await one.start(ask("Sing!", user_id=str(uuid4())))
        copy = await other.find(running.turn_id)
        reading = [asyncio.create_task(events_of(copy)) for _ in range(2)]
        await until_it_speaks(copy)
        may_go_on.set()
        there = await events_of(running)

        assert await asyncio.gather(*reading) == [there, there]
        assert as_json(await copy.ended()) == as_json(await running.ended())
        assert (copy.user_id, copy.content, copy.state) == (running.user_id, running.content, TurnState.COMPLETED)


async def until_it_speaks(turn: LiveTurn) -> None:
    async with aclosing(turn.follow()) as batches:
        async for _ in batches:
            if turn.content:
                return


async def test_a_reader_elsewhere_who_leaves_is_the_last_reader(
    cluster: Cluster, one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say(["La", asyncio.Event()])
    running = await one.start(ask("Sing!", on_disconnect="cancel"))
    copy = await other.find(running.turn_id)
    await until_it_speaks(copy)
    await until_stored(cluster, running)

    assert (await one.status(running.turn_id)).state is TurnState.CANCELLED


async def test_who_has_found_a_turn_elsewhere_reads_it_whole_when_another_reader_leaves_meanwhile(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    may_go_on = asyncio.Event()
    llm.say(["La", may_go_on, " la la"])
    running = await one.start(ask("Sing!"))
    copy = await other.find(running.turn_id)
    found = await other.find(running.turn_id)
    await until_it_speaks(copy)
    may_go_on.set()

    assert await events_of(found) == await events_of(running)


async def test_a_turn_elsewhere_that_nobody_reads_after_all_is_left(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_turn, "BEGINS_WITHIN_S", 0.01)
    llm.say(["La", asyncio.Event()])
    running = await one.start(ask("Sing!"))
    await other.find(running.turn_id)
    async with asyncio.timeout(60):
        while other.remote_turns:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.01)

    assert one.running == 1


async def test_a_turn_whose_process_tells_nothing_more_ends_as_it_is_stored(
    cluster: Cluster, llm: ScriptedProvider, other_llm: ScriptedProvider
) -> None:
    may_go_on = asyncio.Event()
    llm.say(["La", may_go_on, " la la"])
    async with cluster.engine("one", llm) as one, cluster.engine("other", other_llm) as other:
        running = await one.start(ask("Sing!"))
        copy = await other.find(running.turn_id)
        await until_said(copy, "La")
        reading = asyncio.create_task(events_of(copy))
        cluster.cut("one")
        may_go_on.set()
        ended = await copy.ended()

    assert "".join(event.content for event in await reading if isinstance(event, Delta)) == "La la la"
    assert (ended.state, ended.message and ended.message.content) == (TurnState.COMPLETED, "La la la")
    assert copy.content == "La la la"


async def test_a_turn_whose_process_does_not_answer_cannot_be_followed_now(
    cluster: Cluster, one: TurnEngine, other: TurnEngine, llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_relay, "OPENS_WITHIN_S", 0.1)
    llm.say([asyncio.Event()])
    running = await one.start(ask("Sing!"))
    cluster.cut("one")
    with pytest.raises(StorageUnavailable, match="does not answer"):
        await other.find(running.turn_id)


class WithPeer(StoredTurns):
    """Those of a process that knows another one."""

    async def peers(self) -> Sequence[str]:
        return ["one"]


async def test_a_turn_that_is_over_in_a_process_that_does_not_answer_is_not_told_to_be_forgotten(
    cluster: Cluster, llm: ScriptedProvider, other_llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_relay, "OPENS_WITHIN_S", 0.1)
    llm.say("La la la")
    async with cluster.engine("one", llm) as one, cluster.engine("other", other_llm, turns=WithPeer) as other:
        await (turn := await one.start(ask("Sing!"))).ended()
        copy = await other.find(turn.turn_id)
        await copy.ended()
        cluster.cut("one")
        with pytest.raises(StorageUnavailable, match="does not answer"):
            await other.find(turn.turn_id)

    assert copy.content == "La la la"


async def test_who_asks_for_an_event_that_its_process_has_yet_to_tell_waits_for_it(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_turns, "BEHIND_S", 60)
    may_go_on = asyncio.Event()
    llm.say(["La", may_go_on, " la", " la"])
    running = await one.start(ask("Sing!"))
    await until_said(running, "La")
    copy = await other.find(running.turn_id, after=1)
    asking = asyncio.create_task(other.find(running.turn_id, after=2))
    may_go_on.set()

    assert await asking is copy
    assert copy.event_count > 2


async def test_who_asks_for_an_event_that_a_copy_is_behind_with_is_told_to_come_back(
    cluster: Cluster, one: TurnEngine, other: TurnEngine, llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_turns, "BEHIND_S", 0)
    may_go_on = asyncio.Event()
    llm.say(["La", may_go_on, " la", asyncio.Event()])
    running = await one.start(ask("Sing!"))
    await until_said(await other.find(running.turn_id), "La")
    cluster.cut("one")
    may_go_on.set()
    await until_said(running, "La la")

    with pytest.raises(StorageUnavailable, match="has not told of event 2 yet; ask again in a moment"):
        await other.find(running.turn_id, after=running.event_count - 1)


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

    assert (again.turn_id, again.content, again.is_over) == (first.turn_id, "La la la", True)
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


async def test_a_conversation_is_deleted_while_another_engine_runs_a_turn_in_it(
    cluster: Cluster, one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say(["La la", asyncio.Event()])
    running = await one.start(ask("Sing!"))
    await delete(other, cluster.storage, running.conversation_id)

    assert (await running.ended()).state is TurnState.CANCELLED
    with pytest.raises(ConversationNotFound):
        await cluster.storage.read(running.conversation_id)


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


async def until_stored(cluster: Cluster, turn: LiveTurn) -> None:
    async with asyncio.timeout(60):
        while True:
            if len(await said(cluster, turn)) == 2:
                return
            await asyncio.sleep(0.01)


async def until_settled(cluster: Cluster, day: str, turn: LiveTurn) -> DailyTotals:
    async with asyncio.timeout(60):
        while True:
            book, _ = await read_day(cluster.storage, day)
            if str(turn.message_id) not in book.opened:
                return book
            await asyncio.sleep(0.01)
