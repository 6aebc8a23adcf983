"""A bus over a broker, such as a database that notifies: sends in batches, and connects again when it is cut off."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from random import random
from time import perf_counter
from types import TracebackType
from typing import Self

from idolchat_core.background_tasks import BackgroundTasks
from idolchat_core.coordination.contract import Bus, BusState
from idolchat_core.coordination.payloads import JoinedPayloads, pack
from idolchat_core.errors import ConfigurationError
from idolchat_core.models import new_id

__all__ = ["BrokerBus", "BrokerLost", "Publish"]

log = logging.getLogger(__name__)

COLLECT_S = 0.002
"""After what is sent at once, what comes within it is sent together; who has much to send collects it himself."""
MAX_PENDING_BYTES = 32 * 1024 * 1024
"""What may wait for a broker that is slow; more is dropped."""
CONNECT_WITHIN_S, PUBLISH_WITHIN_S = 10.0, 10.0
ECHO_EVERY_S, ECHO_WITHIN_S = 5.0, 10.0
"""How often a message to the own inbox shows that the broker still carries them, and how long it may take."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
FLUSH_WITHIN_S = 0.5
"""How long what was sent last may take when the bus closes."""

type Publish = Callable[[Sequence[tuple[str, bytes]]], Awaitable[None]]
"""Sends payloads, each to an inbox, in this order."""


class BrokerLost(Exception):
    """The broker cannot be reached now; the message tells an operator why."""


class BrokerBus(Bus):
    """An open bus, as an async context manager; ``connect`` is all that a broker has to bring.

    What is sent while the broker cannot be reached is dropped and counted. ``name`` is how operators call the broker.
    """

    name: str
    max_payload_bytes: int = 1024 * 1024

    def __init__(self) -> None:
        self.inbox = new_id().hex
        self._state = BusState(problem="it is not connected yet")
        self._take: Callable[[bytes], None] | None = None
        self._joined = JoinedPayloads()
        self._pending: dict[str, list[bytes]] = {}
        self._pending_bytes = 0
        self._has_pending = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._heard_self = asyncio.Event()
        self._batches = 0
        self._pause_s = FIRST_PAUSE_S
        self._background = BackgroundTasks()

    @abstractmethod
    def connect(
        self, take: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> AbstractAsyncContextManager[Publish]:
        """Connect: payloads to ``self.inbox`` go to ``take``, and ``lost`` is told why when they no longer come.

        Raises ``BrokerLost`` where the broker cannot be reached, as what is yielded does; and ``ConfigurationError``
        for what no waiting mends.
        """

    @property
    def state(self) -> BusState:
        return self._state

    async def __aenter__(self) -> Self:
        """Connect. Raises ``ConfigurationError``; a broker that cannot be reached is only waited for."""
        tried: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._background.start(f"bus {self.name}", lambda: self._stay_connected(tried))
        try:
            await tried
        except BaseException:
            await self._background.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(BrokerLost):
            await _within(FLUSH_WITHIN_S, self._all_sent.wait())
        await self._background.close()

    def send(self, inbox: str, message: bytes) -> None:
        if self._state.problem is not None or self._pending_bytes + len(message) > MAX_PENDING_BYTES:
            self._state.dropped += 1
            return
        self._pending.setdefault(inbox, []).append(message)
        self._pending_bytes += len(message)
        self._has_pending.set()
        self._all_sent.clear()

    @asynccontextmanager
    async def receive(self, take: Callable[[bytes], None]) -> AsyncGenerator[None]:
        self._take = take
        try:
            yield
        finally:
            self._take = None

    async def _stay_connected(self, tried: asyncio.Future[None]) -> None:
        while True:
            try:
                await self._connected(tried)
            except BrokerLost as error:
                self._note(str(error))
            except ConfigurationError as error:
                if not tried.done():
                    tried.set_exception(error)
                    return
                self._note(str(error))
            except Exception as error:  # a fault of the plugin's, which must not have the start wait for ever
                if not tried.done():
                    tried.set_exception(error)
                    return
                raise
            if not tried.done():
                tried.set_result(None)
            await asyncio.sleep(self._pause_s * (0.5 + random()))
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    async def _connected(self, tried: asyncio.Future[None]) -> None:
        """Connect and work until the connection is lost. Raises ``BrokerLost`` and ``ConfigurationError``."""
        lost = asyncio.get_running_loop().create_future()

        def lose(reason: str) -> None:
            if not lost.done():
                lost.set_exception(BrokerLost(reason))

        async with AsyncExitStack() as stack:
            publish = await _within(CONNECT_WITHIN_S, stack.enter_async_context(self.connect(self._hear, lose)))
            self._note(None)
            if not tried.done():
                tried.set_result(None)
            tasks = {asyncio.create_task(self._send(publish)), asyncio.create_task(self._listen_to_self())}
            try:
                done, _ = await asyncio.wait({lost, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                lost.cancel()
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            for ended in done:
                ended.result()

    def _note(self, problem: str | None) -> None:
        """Log, once each time, that the broker cannot be reached, and that it can be again."""
        before, self._state.problem = self._state.problem, problem
        self._state.dropped += sum(map(len, self._pending.values())) if problem is not None else 0
        if problem is None:
            self._pause_s = FIRST_PAUSE_S
            log.info("the bus is connected", extra={"bus": self.name})
        else:
            self._pending, self._pending_bytes = {}, 0
            self._all_sent.set()
            if problem != before:
                log.warning("the bus cannot be reached; turns go on without", extra={"bus": self.name, "why": problem})

    async def _send(self, publish: Publish) -> None:
        """Send what waits, again and again. Raises ``BrokerLost``."""
        loop = asyncio.get_running_loop()
        sends_at = loop.time()
        while True:
            await self._has_pending.wait()
            if (early_s := sends_at - loop.time()) > 0:
                await asyncio.sleep(early_s)
            self._has_pending.clear()
            pending, self._pending, self._pending_bytes = self._pending, {}, 0
            count = sum(map(len, pending.values()))
            try:
                await _within(PUBLISH_WITHIN_S, publish(self._packed(pending)))
            except BaseException:
                self._state.dropped += count
                raise
            self._state.sent += count
            if not self._pending:
                self._all_sent.set()
            sends_at = loop.time() + COLLECT_S

    def _packed(self, pending: dict[str, list[bytes]]) -> list[tuple[str, bytes]]:
        payloads: list[tuple[str, bytes]] = []
        for inbox, messages in pending.items():
            self._batches += 1
            packed = pack(messages, sender=self.inbox, number=self._batches, max_bytes=self.max_payload_bytes)
            payloads += [(inbox, payload) for payload in packed]
        return payloads

    async def _listen_to_self(self) -> None:
        """Send something to the own inbox now and then, and take the time. Raises ``BrokerLost`` when nothing comes."""
        while True:
            self._heard_self.clear()
            sent_at = perf_counter()
            self._pending.setdefault(self.inbox, [])
            self._has_pending.set()
            await _within(ECHO_WITHIN_S, self._heard_self.wait())
            self._state.lag_s = perf_counter() - sent_at
            await asyncio.sleep(ECHO_EVERY_S)

    def _hear(self, payload: bytes) -> None:
        try:
            batch = self._joined.take(payload)
        except ValueError:
            log.warning("a payload of the bus cannot be read", extra={"bus": self.name, "bytes": len(payload)})
            return
        if batch is None:
            return
        sender, messages = batch
        if sender == self.inbox:
            self._heard_self.set()
        if self._take is not None:
            self._state.received += len(messages)
            for message in messages:
                self._take(message)


async def _within[T](seconds: float, work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise BrokerLost(f"it does not answer within {seconds:g} seconds") from None
