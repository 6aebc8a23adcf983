"""Replies in the making share records, and each is in one of them until it is dropped."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_turns import a_turn

from idolchat_core.coordination.checkpoints import Checkpoints, unfinished
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta
from idolchat_core.testing import InMemoryStorage, a_message


async def left_by_a_crash(storage: InMemoryStorage) -> dict[UUID, str]:
    return {turn.turn_id: turn.content for turn in await Checkpoints(storage).load()}


async def test_many_replies_take_few_records_and_leave_none() -> None:
    storage = InMemoryStorage()
    checkpoints = Checkpoints(storage)
    turns = [a_turn(f"reply {number}") for number in range(200)]

    await checkpoints.save_running(map(unfinished, turns))

    assert len(await storage.list_records("turns")) == 4
    assert await left_by_a_crash(storage) == {live.turn_id: live.reply.content for live in turns}
    for live in turns:
        checkpoints.drop(live.turn_id)
    await checkpoints.close()
    assert await storage.list_records("turns") == []


@given(st.lists(st.tuples(st.sampled_from(["begin", "say", "drop", "save"]), st.integers(min_value=0)), max_size=60))
async def test_what_was_saved_is_there_after_a_crash_until_it_is_dropped(steps: list[tuple[str, int]]) -> None:
    storage = InMemoryStorage()
    checkpoints = Checkpoints(storage)
    running: dict[UUID, LiveTurn] = {}
    saved: dict[UUID, str] = {}
    for what, number in steps:
        chosen = list(running.values())[number % len(running)] if running else None
        if what == "begin":
            for live in (a_turn("Once") for _ in range(30)):
                running[live.turn_id] = live
        elif what == "save":
            await checkpoints.save_running(map(unfinished, running.values()))
            saved = {turn_id: live.reply.content for turn_id, live in running.items()}
        elif chosen is not None and what == "say":
            chosen.say(Delta(" more"))
        elif chosen is not None:
            checkpoints.drop(chosen.turn_id)
            del running[chosen.turn_id]
            saved.pop(chosen.turn_id, None)

        left = await left_by_a_crash(storage)
        assert {turn_id: left.get(turn_id) for turn_id in saved} == saved


async def test_what_another_process_left_stays_until_it_is_dropped() -> None:
    storage = InMemoryStorage()
    before = [a_turn(f"left {number}") for number in range(70)]
    await Checkpoints(storage).save_running(map(unfinished, before))
    checkpoints = Checkpoints(storage)
    await checkpoints.load()

    running = a_turn("new")
    await checkpoints.save_running([unfinished(running)])
    assert len(await left_by_a_crash(storage)) == 71

    for live in before:
        checkpoints.drop(live.turn_id)
    await checkpoints.dropped()
    assert await left_by_a_crash(storage) == {running.turn_id: "new"}


async def test_a_turn_that_waited_is_one_with_its_message_and_its_reply() -> None:
    storage = InMemoryStorage()
    checkpoints = Checkpoints(storage)
    live = a_turn("so far")
    message = a_message("Hello!")
    waiting = unfinished(live).model_copy(update={"content": "", "messages": (message,)})
    await checkpoints.save(waiting, durable=True)
    await checkpoints.save_running([unfinished(live)])

    [turn] = await Checkpoints(storage).load()

    assert (turn.content, turn.messages) == ("so far", (message,))


async def test_turns_that_waited_are_left_in_the_order_they_came_also_of_one_moment() -> None:
    storage = InMemoryStorage()
    checkpoints = Checkpoints(storage)
    message = a_message("Hello!")
    waiting = [unfinished(a_turn("")).model_copy(update={"turn_id": uuid4(), "messages": (message,)}) for _ in range(9)]
    for turn in waiting:
        await checkpoints.save(turn, durable=True)

    assert [turn.turn_id for turn in await Checkpoints(storage).load()] == [turn.turn_id for turn in waiting]


class EndsOneMeanwhile(InMemoryStorage):
    """Lists a turn that has ended before it is read."""

    async def list_records(self, namespace: str, *, after: str = "", limit: int | None = None) -> Sequence[str]:
        names = await super().list_records(namespace, after=after, limit=limit)
        await self.delete_record(namespace, names[0])
        return names


async def test_a_turn_that_ends_while_it_is_looked_for_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    storage = EndsOneMeanwhile()
    await Checkpoints(storage).save(unfinished(a_turn("so far")), durable=True)

    assert await Checkpoints(storage).load() == []
    assert caplog.records == []
