"""A turn is read in another process as where it runs, whatever the bus does and of whichever release the others are."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from random import Random
from typing import Any
from uuid import UUID

import pytest
from live_turns import a_turn
from pydantic_core import to_json

from idolchat_core.coordination import event_feeds, event_relay
from idolchat_core.coordination.contract import Bus, Occupant
from idolchat_core.coordination.event_relay import EventRelay
from idolchat_core.coordination.local import LocalBus, StoredTurns
from idolchat_core.coordination.messages import Follow, Left, Stop, Texts, Watch, read_message, write
from idolchat_core.events.events import Batch, Event, TurnEnded, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta
from idolchat_core.testing import FaultyBus, InMemoryStorage

ENDED = TurnEnded(state=TurnState.COMPLETED)
FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "drops": {"drops": 0.3},
    "doubles": {"doubles": 0.5},
    "reorders": {"reorders": 0.3},
    "all": {"drops": 0.2, "doubles": 0.2, "reorders": 0.2},
}

type Peers = dict[str, Callable[[bytes], None]]


class BusOfBefore(LocalBus):
    """That of a process of the release before, which knows no ``Texts``; ``received`` is how messages to it begin."""

    def __init__(self, inbox: str, *, peers: Peers) -> None:
        super().__init__(inbox, peers=peers)
        self.received: set[bytes] = set()

    @asynccontextmanager
    async def receive(self, take: Callable[[bytes], None]) -> AsyncGenerator[None]:
        def hear(message: bytes) -> None:
            self.received.add(message[:7])
            take(message)

        async with super().receive(hear):
            yield

    def send(self, inbox: str, message: bytes) -> None:
        said = read_message(message)
        if isinstance(said, Follow):
            message = write(said.model_copy(update={"reads_texts": False}))
        elif isinstance(said, Texts):
            message = to_json(entries_of(said))
        super().send(inbox, message)


def entries_of(said: Texts) -> list[tuple[int, int, list[str]]]:
    """Return texts as the release before writes them."""
    texts = iter(said.texts)
    return [
        (number, first, [next(texts) for _ in range(count)])
        for number, first, count in zip(said.numbers, said.firsts, said.counts, strict=True)
    ]


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feeds, "SEND_EVERY_S", 0.001)
    for name in ("ASK_AGAIN_AFTER_S", "RENEW_EVERY_S", "OPEN_EVERY_S", "LOOK_EVERY_S"):
        monkeypatch.setattr(event_relay, name, 0.005)
    monkeypatch.setattr(event_relay, "OPENS_WITHIN_S", 60.0)
    monkeypatch.setattr(event_relay, "ASK_STORE_AFTER_S", 60.0)


@asynccontextmanager
async def relay(bus: Bus, *, runs: Callable[[UUID], LiveTurn | None]) -> AsyncGenerator[EventRelay]:
    async def find_end(_: Occupant) -> TurnEnded | None:
        return None

    made = EventRelay(bus, StoredTurns(InMemoryStorage()), find_here=runs, find_end=find_end)

    def hear(message: bytes) -> None:
        told = read_message(message)
        assert not isinstance(told, Stop | Watch | Left)
        made.take(told)

    async with bus.receive(hear):
        yield made
        await made.close()


async def all_of(live: LiveTurn) -> list[Event]:
    """Read a turn as those who stream do."""
    events: list[Event] = []

    def take(first: int, batch: Batch) -> bool:
        assert first == len(events)
        is_taken = not isinstance(batch[-1], TurnEnded)
        events.extend(Delta(event) if isinstance(event, str) else event for event in batch if is_taken)
        return is_taken

    async with aclosing(live.follow(on_events=take)) as batches:
        async for first, batch in batches:
            assert first == len(events)
            events += batch
    return events


async def say_all(lives: list[LiveTurn], dice: Random) -> None:
    """Let turns say something, mostly texts, and end."""
    for round_ in range(30):
        for live in lives:
            texts = [Delta(f"{round_}.{number} ") for number in range(dice.randint(0, 3))]
            live.say(*texts)
            if dice.random() < 0.1:
                live.say(Delta("", {"reasoning": "hm"}), Delta("so "))
        await asyncio.sleep(dice.choice([0, 0.002]))
    for live in lives:
        live.end(ENDED)


async def read_elsewhere(owner: Bus, reader: Bus) -> None:
    """Say something in one process, and hold it against what is read in another."""
    lives = [a_turn() for _ in range(5)]
    by_id = {live.turn_id: live for live in lives}
    async with relay(owner, runs=by_id.get), relay(reader, runs=lambda _: None) as elsewhere:
        reading = []
        for live in lives:
            copy = await elsewhere.follow(Occupant(live.turn_id, live.conversation_id, owner.inbox, False, True))
            assert copy is not None
            reading.append((live, copy, asyncio.create_task(all_of(copy))))
        await say_all(lives, Random(1))
        for live, copy, task in reading:
            assert await task == await all_of(live)
            assert (copy.content, copy.reply.fields, copy.state) == (live.content, live.reply.fields, live.state)
            assert [copy.events_since(seq)[0] for seq in range(copy.event_count)] == [*await task]
        assert elsewhere.followed == 0


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
async def test_turns_are_read_in_another_process_with_the_same_events(faults: dict[str, Any]) -> None:
    peers: Peers = {}
    owner, reader = (
        FaultyBus(LocalBus(name, peers=peers), seed=seed, **faults) for seed, name in enumerate(("owner", "reader"))
    )

    await read_elsewhere(owner, reader)


async def test_turns_are_read_by_a_process_of_the_release_before() -> None:
    peers: Peers = {}
    reader = BusOfBefore("reader", peers=peers)

    await read_elsewhere(LocalBus("owner", peers=peers), reader)

    assert reader.received == {b"deltas:", b'{"kind"'}


async def test_turns_of_a_process_of_the_release_before_are_read() -> None:
    peers: Peers = {}

    await read_elsewhere(BusOfBefore("owner", peers=peers), LocalBus("reader", peers=peers))
