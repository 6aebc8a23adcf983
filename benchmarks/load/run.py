"""Runs: clients are started, kept going until the time is over, and waited for; and so again over their connections."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any

from benchmarks.load.options import Load
from benchmarks.load.tally import Tally

__all__ = ["Client", "Run", "conversation", "runs"]

CONNECTS_AT_ONCE = 50


class Run:
    """What the clients of one run share."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.tally = Tally()
        self.mark = load.mark.encode()
        self.first = re.compile(load.first.encode())
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ends_at = 0.0
        self._sent = 0
        self._clients = 0
        self._body = load.body.replace('"@STREAM@"', "true" if load.mode == "sse" else "false")
        self._body = self._body.replace("@MODEL@", load.model)

    def begin(self, clients: int) -> None:
        """Start the clock."""
        self._clients = clients
        self._ends_at = perf_counter() + self.load.seconds

    def next_body(self, client: Client) -> bytes | None:
        """Return what a client is to send next; None when the run is over."""
        if perf_counter() >= self._ends_at or (self.load.requests and self._sent >= self.load.requests):
            return None
        self._sent += 1
        client.sent += 1
        many, clients = self.load.conversations, self.load.connections
        own = client.number + clients * (client.sent % max(many // clients, 1))
        numbers = {"@POOL@": self._sent % many, "@OWN@": own, "@NEW@": many + self._sent}
        body = self._body
        for name, number in numbers.items():
            body = body.replace(name, conversation(self.load.tag, number))
        return body.encode()

    def left(self) -> None:
        """Count a client that has nothing more to do."""
        self._clients -= 1
        if not self._clients and not self.over.done():
            self.over.set_result(None)


def conversation(tag: str, number: int) -> str:
    """Name a conversation; a tag is eight hexadecimal digits."""
    return f"{tag}-0000-7000-8000-{number:012d}"


class Client(asyncio.Protocol):
    """One connection, kept from one run to the next; ``number`` counts from 0."""

    transport: asyncio.Transport

    def __init__(self, run: Run, number: int) -> None:
        self.run = run
        self.number = number
        self.sent = 0
        self.has_left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is no subclass of asyncio's

    async def connect(self) -> None:
        """Connect to the gateway."""
        load = self.run.load
        await asyncio.get_running_loop().create_connection(lambda: self, load.host, load.port)

    def start(self) -> None:
        """Send the first request over a new connection."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Send the next request."""
        raise NotImplementedError

    def leave(self) -> None:
        """Send no more in this run."""
        if not self.has_left:
            self.has_left = True
            self.run.left()

    def close(self) -> None:
        """Close the connection."""
        self.has_left = True
        self.transport.close()


async def runs(load: Load, make: type[Client], again: Callable[[], Awaitable[object]]) -> AsyncIterator[dict[str, Any]]:
    """Run a load to its end and tell what was seen, and once more as often as ``again`` says something true."""
    running = Run(load)
    clients = [make(running, number) for number in range(load.connections)]
    await _connect(clients)
    starts = [client.start for client in clients]
    while True:
        yield await _run(running, starts)
        if not await again():
            break
        running = Run(load)
        lost = [client for client in clients if client.transport.is_closing()]
        for client in clients:
            client.run, client.has_left = running, False
        await _connect(lost)
        starts = [client.start if client in lost else client.go_on for client in clients]
    for client in clients:
        client.close()


async def _connect(clients: Sequence[Client]) -> None:
    for start in range(0, len(clients), CONNECTS_AT_ONCE):
        await asyncio.gather(*(client.connect() for client in clients[start : start + CONNECTS_AT_ONCE]))


async def _run(running: Run, starts: Sequence[Callable[[], None]]) -> dict[str, Any]:
    load, loop = running.load, asyncio.get_running_loop()
    running.begin(len(starts))
    begun_at = perf_counter()
    for number, start in enumerate(starts):
        loop.call_later(load.ramp_s * number / len(starts), start)
    try:
        async with asyncio.timeout(load.seconds + load.drain_s):
            await running.over
    except TimeoutError:
        running.tally.fail("connections that did not end")
    return running.tally.summary(perf_counter() - begun_at)
