"""A turn's events reach whoever follows it, woken or not."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest
from live_turns import a_turn

from idolchat_core.events.events import Batch, Event, TurnEnded, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta

ENDED = TurnEnded(state=TurnState.COMPLETED)


class Reader:
    """Follows a turn; keeps what it takes, and what is yielded to it, as ``(seq, event)``."""

    def __init__(self, live: LiveTurn, *, after: int = -1, takes: Callable[[int], bool] = lambda _: True) -> None:
        self.taken: list[tuple[int, Event | str]] = []
        self.yielded: list[tuple[int, Event]] = []
        self.task = asyncio.create_task(self._follow(live, after))
        self._takes = takes

    async def _follow(self, live: LiveTurn, after: int) -> None:
        async with aclosing(live.follow(after=after, on_events=self._take)) as batches:
            async for first, events in batches:
                self.yielded += enumerate(events, first)

    def _take(self, first: int, events: Batch) -> bool:
        if events[-1] is ENDED or not self._takes(first):
            return False
        self.taken += enumerate(events, first)
        return True


async def waits() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_is_told_while_a_reader_waits_is_taken_at_once() -> None:
    live = a_turn()
    reader = Reader(live)
    await waits()

    live.say(Delta("Once "), Delta("upon "))
    live.say(Delta("a time"))

    assert reader.taken == [(1, "Once "), (2, "upon "), (3, "a time")]
    live.end(ENDED)
    await reader.task
    assert [seq for seq, _ in reader.yielded] == [0, 4]


async def test_deltas_of_more_than_text_are_taken_as_they_are_with_what_came_together_with_them() -> None:
    live = a_turn()
    reader = Reader(live)
    await waits()
    said = [Delta("Once "), Delta("", {"reasoning": "Hm"})]

    live.say(*said)
    live.say()

    assert reader.taken == list(enumerate(said, 1))
    live.end(ENDED)
    await reader.task


async def test_what_is_not_taken_is_yielded_and_all_before_it_is_not_again() -> None:
    live = a_turn()
    reader = Reader(live, takes=lambda seq: seq % 3 != 0)
    await waits()
    for number in range(1, 50):
        live.say(Delta(f"{number} "))
        if number % 7 == 0:
            await waits()
    live.end(ENDED)
    await reader.task

    seqs = [seq for seq, _ in reader.taken], [seq for seq, _ in reader.yielded]
    assert sorted(seqs[0] + seqs[1]) == list(range(51))
    assert seqs[0] == sorted(seqs[0])
    assert seqs[1] == sorted(seqs[1])
    assert seqs[0]


async def test_who_has_read_more_than_there_is_takes_only_what_comes_after_it() -> None:
    live = a_turn()
    reader = Reader(live, after=3)
    await waits()
    for number in range(1, 8):
        live.say(Delta(f"{number} "))
        await waits()
    live.end(ENDED)
    await reader.task

    assert sorted([*reader.taken, *reader.yielded]) == [*((seq, f"{seq} ") for seq in range(4, 8)), (8, ENDED)]


async def test_a_reader_who_cannot_take_does_not_keep_others_from_it() -> None:
    live = a_turn()
    broken, fine = Reader(live, takes=_broken), Reader(live)
    await waits()

    live.say(Delta("Once"))

    assert fine.taken == [(1, "Once")]
    with pytest.raises(ValueError, match="cannot be written"):
        await broken.task
    live.end(ENDED)
    await fine.task


async def test_a_reader_who_leaves_takes_nothing_more() -> None:
    live = a_turn()
    reader = Reader(live)
    await waits()
    reader.task.cancel()

    live.say(Delta("Once"))

    assert reader.taken == []
    with pytest.raises(asyncio.CancelledError):
        await reader.task


def _broken(seq: int) -> bool:
    raise ValueError("cannot be written")
