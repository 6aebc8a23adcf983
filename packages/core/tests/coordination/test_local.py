"""What coordinates one process passes the kits of what coordinates many."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count

import pytest

from idolchat_core.coordination.checkpoints import Checkpoints
from idolchat_core.coordination.contract import Bus, Counters, TurnStore
from idolchat_core.coordination.local import LocalBus, LocalCounters, StoredTurns
from idolchat_core.coordination.queue import ConversationQueue
from idolchat_core.storage.contract import Storage
from idolchat_core.testing import (
    BusConformance,
    CountersConformance,
    FaultyBus,
    OpenBus,
    OpenTurnStore,
    TurnStoreConformance,
)


class TestStoredTurns(TurnStoreConformance):
    @pytest.fixture
    def queue(self) -> ConversationQueue:
        return ConversationQueue()

    @pytest.fixture
    def checkpoints(self, storage: Storage) -> Checkpoints:
        return Checkpoints(storage)

    @pytest.fixture
    def turns(self, storage: Storage, queue: ConversationQueue, checkpoints: Checkpoints) -> TurnStore:
        return StoredTurns(storage, queue=queue, checkpoints=checkpoints)

    @pytest.fixture
    def another(self, storage: Storage, queue: ConversationQueue, checkpoints: Checkpoints) -> OpenTurnStore:
        async def opened() -> TurnStore:
            return StoredTurns(storage, inbox="another", queue=queue, checkpoints=checkpoints)

        return opened

    @pytest.fixture
    def successor(self, storage: Storage) -> OpenTurnStore:
        async def opened() -> TurnStore:
            return StoredTurns(storage)

        return opened


def local_buses(*, through: Callable[[Bus], Bus]) -> OpenBus:
    """Return what opens buses of one process, each through something."""
    peers: dict[str, Callable[[bytes], None]] = {}
    numbers = count()

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Bus]:
        yield through(LocalBus(f"local-{next(numbers)}", peers=peers))

    return opened


class TestLocalBus(BusConformance):
    @pytest.fixture
    def open_bus(self) -> OpenBus:
        return local_buses(through=lambda bus: bus)


class TestFaultlessBus(BusConformance):
    """A bus that may fail, and does not, is as the one that it hands on to."""

    @pytest.fixture
    def open_bus(self) -> OpenBus:
        return local_buses(through=FaultyBus)


class TestLocalCounters(CountersConformance):
    @pytest.fixture
    def counters(self) -> Sequence[Counters]:
        return [LocalCounters()]


async def test_a_faulty_bus_drops_doubles_and_reorders() -> None:
    received: list[bytes] = []
    bus = FaultyBus(LocalBus(), drops=0.2, doubles=0.2, reorders=0.2, seed=1)
    sent = [b"%d" % number for number in range(200)]
    async with bus.receive(received.append):
        for message in sent:
            bus.send(bus.inbox, message)

    assert set(received) < set(sent)
    assert len(received) > len(set(received))
    assert list(dict.fromkeys(received)) != [message for message in sent if message in received]
