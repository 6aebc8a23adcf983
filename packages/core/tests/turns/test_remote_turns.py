"""Turns of another engine: how they stand, following them, stopping them."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from one_engine import ask
from two_engines import Cluster, events_of, until_it_speaks, until_said, until_stored

from idolchat_core.coordination import event_relay
from idolchat_core.coordination.local import StoredTurns
from idolchat_core.errors import (
    StorageUnavailable,
)
from idolchat_core.events import live_turn
from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.llm.contract import Delta
from idolchat_core.testing import ScriptedProvider, until_so
from idolchat_core.turns import remote_turns
from idolchat_core.turns.engine import TurnEngine


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


async def test_how_a_turn_of_another_engine_stands_is_known(
    one: TurnEngine, other: TurnEngine, llm: ScriptedProvider
) -> None:
    llm.say([asyncio.Event()])
    running = await one.start(ask("Sing!"))
    waiting = await one.start(ask("Again!", running))

    assert (await other.status(running.turn_id)).state is TurnState.RUNNING
    assert (await other.status(waiting.turn_id)).state is TurnState.QUEUED


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
    await until_so("the other to forget the turn", lambda: not other.remote_turns)

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
    llm.say("La la la")
    async with cluster.engine("one", llm) as one, cluster.engine("other", other_llm, turns=WithPeer) as other:
        await (turn := await one.start(ask("Sing!"))).ended()
        copy = await other.find(turn.turn_id)
        await copy.ended()
        cluster.cut("one")
        monkeypatch.setattr(event_relay, "OPENS_WITHIN_S", 0.1)  # from here on: the first answer may come late
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
