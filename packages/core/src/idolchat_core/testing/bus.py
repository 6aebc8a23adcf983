"""What every bus must do: a pytest class to run by overriding its fixture. And a bus that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from random import Random

import pytest

from idolchat_core.coordination.contract import Bus

__all__ = ["BusConformance", "FaultyBus", "OpenBus"]

type OpenBus = Callable[[], AbstractAsyncContextManager[Bus]]

_PATIENCE_S = 60.0


class FaultyBus(Bus):
    """Hands on to another bus, and drops, doubles and reorders what is sent, each with its probability."""

    def __init__(
        self, bus: Bus, *, drops: float = 0.0, doubles: float = 0.0, reorders: float = 0.0, seed: int = 0
    ) -> None:
        self.inbox = bus.inbox
        self._bus = bus
        self._drops, self._doubles, self._reorders = drops, doubles, reorders
        self._random = Random(seed)
        self._held: list[tuple[str, bytes]] = []

    def send(self, inbox: str, message: bytes) -> None:
        if self._random.random() < self._drops:
            return
        if self._random.random() < self._reorders:
            self._held.append((inbox, message))
            return
        late, self._held = self._held, []
        times = 2 if self._random.random() < self._doubles else 1
        for to, sent in [(inbox, message)] * times + late:
            self._bus.send(to, sent)

    def receive(self, take: Callable[[bytes], None]) -> AbstractAsyncContextManager[None]:
        return self._bus.receive(take)


class Inbox:
    """What one member has received."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.messages: list[bytes] = []
        self._arrived = asyncio.Event()

    def take(self, message: bytes) -> None:
        """Receive a message."""
        self.messages.append(message)
        self._arrived.set()

    async def received(self, count: int) -> list[bytes]:
        """Wait until so many are there."""
        async with asyncio.timeout(_PATIENCE_S):
            while len(self.messages) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.messages


@pytest.mark.asyncio
class BusConformance:
    """The contract of ``Bus``, as tests, for a bus that works: what it loses in an outage, nobody can tell.

    Override the fixture ``open_bus``.
    """

    @pytest.fixture
    def open_bus(self) -> OpenBus:
        """A function that opens one more member of the same bus, with an inbox of its own."""
        raise NotImplementedError("override the fixture `open_bus` with a function that opens a member of your bus")

    @pytest.fixture
    async def members(self, open_bus: OpenBus) -> AsyncGenerator[list[Inbox]]:
        """Three members that receive."""
        async with AsyncExitStack() as stack:
            members = [Inbox(await stack.enter_async_context(open_bus())) for _ in range(3)]
            for member in members:
                await stack.enter_async_context(member.bus.receive(member.take))
            yield members

    async def test_each_member_has_an_inbox_of_its_own(self, members: list[Inbox]) -> None:
        assert len({member.bus.inbox for member in members}) == 3

    async def test_a_message_arrives_in_its_inbox_and_in_no_other(self, members: list[Inbox]) -> None:
        for number, receiver in enumerate(members):
            for sender in members:
                sender.bus.send(receiver.bus.inbox, b"%d" % number)

        assert [await member.received(3) for member in members] == [[b"0"] * 3, [b"1"] * 3, [b"2"] * 3]

    async def test_messages_of_one_sender_arrive_once_and_in_order(self, members: list[Inbox]) -> None:
        sent = [b"%d" % number for number in range(500)]
        for message in sent:
            members[0].bus.send(members[1].bus.inbox, message)

        assert await members[1].received(len(sent)) == sent

    async def test_messages_of_several_senders_arrive_each_in_its_order(self, members: list[Inbox]) -> None:
        for number in range(100):
            for sender in range(3):
                members[sender].bus.send(members[1].bus.inbox, b"%d %d" % (sender, number))
            await asyncio.sleep(0)
        received = await members[1].received(300)

        for sender in range(3):
            mine = [message for message in received if message.startswith(b"%d " % sender)]
            assert mine == [b"%d %d" % (sender, number) for number in range(100)]

    @pytest.mark.parametrize(
        "message", [b"", bytes(range(256)), b"\n\0'\\", b"x" * 1024 * 1024], ids=["empty", "all bytes", "marks", "long"]
    )
    async def test_a_message_arrives_as_it_was_sent(self, members: list[Inbox], message: bytes) -> None:
        members[0].bus.send(members[1].bus.inbox, message)

        assert await members[1].received(1) == [message]

    async def test_what_goes_to_nobody_harms_nobody(self, members: list[Inbox]) -> None:
        members[0].bus.send("nobody", b"lost")
        members[0].bus.send(members[1].bus.inbox, b"arrives")

        assert await members[1].received(1) == [b"arrives"]

    async def test_who_has_left_receives_nothing_more(self, open_bus: OpenBus, members: list[Inbox]) -> None:
        async with open_bus() as bus:
            left = Inbox(bus)
            async with bus.receive(left.take):
                members[0].bus.send(bus.inbox, b"before")
                await left.received(1)
            members[0].bus.send(bus.inbox, b"after")
            members[0].bus.send(members[1].bus.inbox, b"marker")
            await members[1].received(1)

            assert left.messages == [b"before"]
