"""A bus over a broker that stands in this process, and can be cut off."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from idolchat_core.coordination import broker_bus
from idolchat_core.coordination.broker_bus import BrokerBus, BrokerLost, Publish
from idolchat_core.errors import ConfigurationError
from idolchat_core.testing import BusConformance, OpenBus, until_so


class Broker:
    """Carries payloads between those who are connected, unless it is down."""

    def __init__(self) -> None:
        self.inboxes: dict[str, tuple[Callable[[bytes], None], Callable[[str], None]]] = {}
        self.payloads: list[tuple[str, bytes]] = []
        self.refuses: Exception | None = None
        self.swallows = False
        self.came = asyncio.Event()

    async def publish(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        await asyncio.sleep(0)
        if self.refuses is not None:
            raise self.refuses
        for inbox, payload in payloads:
            self.payloads.append((inbox, payload))
            if inbox in self.inboxes and not self.swallows:
                self.inboxes[inbox][0](payload)

    def go_down(self, refuses: Exception) -> None:
        self.refuses = refuses
        for _, lost in self.inboxes.values():
            lost("it was stopped")


class BusOfBroker(BrokerBus):
    name = "broker"
    max_payload_bytes = 400

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self._broker = broker

    @asynccontextmanager
    async def connect(self, take: Callable[[bytes], None], lost: Callable[[str], None]) -> AsyncGenerator[Publish]:
        if self._broker.refuses is not None:
            raise self._broker.refuses
        self._broker.inboxes[self.inbox] = (take, lost)
        self._broker.came.set()
        yield self._broker.publish
        del self._broker.inboxes[self.inbox]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def bus(broker: Broker) -> AsyncGenerator[BusOfBroker]:
    async with BusOfBroker(broker) as bus:
        yield bus


class TestBusOfABroker(BusConformance):
    @pytest.fixture
    def open_bus(self, broker: Broker) -> OpenBus:
        def open_one() -> AbstractAsyncContextManager[BrokerBus]:
            return BusOfBroker(broker)

        return open_one


async def said(bus: BrokerBus, wanted: Callable[[BrokerBus], bool]) -> None:
    await until_so("what the bus says of itself", lambda: wanted(bus))


async def test_what_is_sent_close_together_goes_as_one(bus: BusOfBroker, broker: Broker) -> None:
    for number in range(1000):
        bus.send("somebody", b"%d" % number)
        if number == 500:
            await asyncio.sleep(0)
    await said(bus, lambda bus: bus.state.sent == 1000)

    to_somebody = [payload for inbox, payload in broker.payloads if inbox == "somebody"]
    assert len({payload.split(b" ")[1] for payload in to_somebody}) <= 2


async def test_a_broker_that_comes_back_is_found_and_what_was_sent_meanwhile_is_dropped(
    bus: BusOfBroker, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    arrived: list[bytes] = []
    async with bus.receive(arrived.append):
        broker.go_down(BrokerLost("nobody is there"))
        await said(bus, lambda bus: bus.state.problem is not None)
        bus.send(bus.inbox, b"lost")
        broker.refuses = None
        await said(bus, lambda bus: bus.state.problem is None)
        bus.send(bus.inbox, b"arrives")
        await said(bus, lambda bus: bus.state.received == 1)

    assert (arrived, bus.state.dropped, bus.state.sent) == ([b"arrives"], 1, 1)
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert {vars(record)["why"] for record in warned} <= {"it was stopped", "nobody is there"}


async def test_what_the_broker_refuses_is_dropped(bus: BusOfBroker, broker: Broker) -> None:
    broker.refuses = BrokerLost("it is full")
    bus.send("somebody", b"one")
    bus.send("somebody", b"two")
    await said(bus, lambda bus: bus.state.problem is not None)

    assert (bus.state.dropped, bus.state.problem) == (2, "it is full")


async def test_a_bus_opens_though_its_broker_is_away(broker: Broker) -> None:
    broker.refuses = BrokerLost("nobody is there")
    async with BusOfBroker(broker) as bus:
        assert bus.state.problem == "nobody is there"
        broker.refuses = None
        await said(bus, lambda bus: bus.state.problem is None)


async def test_what_no_waiting_mends_stops_the_start(broker: Broker) -> None:
    broker.refuses = ConfigurationError("the password is wrong")
    with pytest.raises(ConfigurationError, match="the password is wrong"):
        async with BusOfBroker(broker):
            pass


async def test_a_plugin_that_fails_in_another_way_stops_the_start(broker: Broker) -> None:
    broker.refuses = ZeroDivisionError("a fault")
    with pytest.raises(ZeroDivisionError):
        async with BusOfBroker(broker):
            pass


async def test_a_password_that_is_changed_later_is_waited_for(bus: BusOfBroker, broker: Broker) -> None:
    broker.go_down(ConfigurationError("the password is wrong"))
    await said(bus, lambda bus: bus.state.problem == "the password is wrong")
    broker.refuses = None
    await said(bus, lambda bus: bus.state.problem is None)


async def test_how_long_a_message_takes_is_known(bus: BusOfBroker) -> None:
    await said(bus, lambda bus: bus.state.lag_s is not None)

    assert bus.state.lag_s is not None
    assert 0 < bus.state.lag_s < 20


async def test_a_broker_that_carries_nothing_is_left_for_a_new_connection(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_bus, "ECHO_WITHIN_S", 0.05)
    broker.swallows = True
    async with BusOfBroker(broker) as bus:
        await said(bus, lambda bus: bus.state.problem is not None)
        broker.came.clear()
        broker.swallows = False
        await broker.came.wait()
        await said(bus, lambda bus: bus.state.lag_s is not None)


async def test_no_more_waits_for_a_slow_broker_than_memory_allows(
    bus: BusOfBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_bus, "MAX_PENDING_BYTES", 10)
    for _ in range(3):
        bus.send("somebody", b"12345")
    await said(bus, lambda bus: bus.state.sent == 2)

    assert bus.state.dropped == 1


async def test_what_was_sent_last_is_still_sent_when_the_bus_closes(broker: Broker) -> None:
    async with BusOfBroker(broker) as bus:
        await said(bus, lambda bus: bus.state.lag_s is not None)
        bus.send("somebody", b"goodbye")

    assert [inbox for inbox, payload in broker.payloads if payload.endswith(b"goodbye")] == ["somebody"]


async def test_what_is_no_payload_is_left_out(bus: BusOfBroker, broker: Broker) -> None:
    arrived: list[bytes] = []
    async with bus.receive(arrived.append):
        await broker.publish([(bus.inbox, b"hello")])
        bus.send(bus.inbox, b"arrives")
        await said(bus, lambda bus: bus.state.received == 1)

    assert arrived == [b"arrives"]
