"""A client of several servers behind a balancer, who reads a turn now here and now there, and misses nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.support.cluster import SERVED_BY, Cluster
from tests.support.ledger import Ledger, Sent
from tests.support.ledger_client import (
    LedgerClient,
    Lost,
    body_of,
    headers_of,
    message_frame,
    path_of,
    refused,
    take_chunk,
    take_frame,
)

__all__ = ["FINAL", "PASSING", "ClusterClient"]

PASSING = frozenset({"storage_unavailable", "shutting_down", "turn_interrupted", "interrupted", "turn_incomplete"})
"""Errors after which the same request is sent again."""
FINAL = frozenset({"turn_not_retryable"})
"""Errors after which a turn stays unfinished: the conversation has moved on."""
UNREADABLE = frozenset({"turn_expired", "storage_unavailable", "shutting_down"})
"""Errors of a turn that cannot be read on now, and is asked for again by its message's key."""
LOSSES = 3
"""How many servers may go while one turn is read, before its message is sent again."""
PATIENCE_S = 120

type _Told = AsyncGenerator[tuple[int, Mapping[str, Any]]]
"""Events, each with its ``seq``."""
type _Sitting = Callable[[Sent, int], AbstractAsyncContextManager[tuple[str, _Told]]]
"""Begins a turn, or reads on after an event; gives the server's name, and what it tells."""


class ClusterClient(LedgerClient):
    """Reads each stream from one server after the other, and goes on elsewhere where one is lost.

    Every event is seen once, in order: each reading begins after the last ``seq`` that was seen. With ``moves_after``
    it leaves after so many events, and reads on from whom the balancer chooses next. ``moved`` counts readings from
    another server than the one before, and ``rescued`` those of them whose server before was lost.
    """

    def __init__(
        self, cluster: Cluster, http: httpx.AsyncClient, ledger: Ledger, *, moves_after: int | None = None
    ) -> None:
        super().__init__(cluster.ws_url, http, ledger)
        self._moves_after = moves_after
        self.moved = 0
        self.rescued = 0
        self.codes: Counter[str] = Counter()
        self.longest_wait_s = 0.0

    async def finish(self, one: Sent) -> None:
        """Send what is prepared until it has its reply, or never will."""
        gives_up_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < gives_up_at:
            failure = await self._try(one)
            if failure is None or failure in FINAL:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{one.text!r} has no reply after {PATIENCE_S} s: {self.codes}")

    async def _try(self, one: Sent) -> str | None:
        """Send once; return why there is no reply."""
        forget(one)
        try:
            await self.send(one)
        except (Lost, httpx.TimeoutException):
            failure = "lost"
        else:
            failure = one.failure or "none"
        if one.message_id:
            return None
        self.codes[failure] += 1
        return failure

    async def _whole(self, one: Sent) -> None:
        response = await self.http.post(path_of(one, "/chat"), json=body_of(one), headers=headers_of(one))
        if response.status_code == 200:
            told = response.json()
            one.begin(told)
            one.end(told["message_id"], told["choices"][0]["message"]["content"])
        else:
            self._refuse(one, response)

    async def _by_stream(self, one: Sent) -> None:
        await self._read(one, self._stream, lambda chunk: take_chunk(one, chunk))

    async def _by_socket(self, one: Sent) -> None:
        await self._read(one, self._socket, lambda frame: take_frame(one, frame))

    async def _read(self, one: Sent, sitting: _Sitting, take: Callable[[Mapping[str, Any]], object]) -> None:
        """Read a turn to its end. Raises ``Lost`` where its server was lost, and the turn with it.

        Events are numbered without a gap, and none is told twice. But of a turn whose server was lost, less may be kept
        than that had told: who comes back is told its end then, with the number that it has there.
        """
        seen, losses, before, was_lost = -1, 0, "", False
        while not _has_ended(one):
            begins_after = seen
            try:
                async with sitting(one, seen) as (server, told), aclosing(told):
                    if before not in ("", server):
                        self.moved += 1
                        self.rescued += was_lost
                    before, was_lost = server, False
                    async for seq, event in told:
                        take(event)
                        if not (seen == begins_after and seq <= seen and _has_ended(one)):
                            assert seq == seen + 1, f"event {seq} follows {seen}"
                        seen = max(seq, seen)
                        if _has_ended(one) or seen - begins_after == self._moves_after:
                            break
                    else:
                        assert one.failure, f"the turn of {one.text!r} has no end, but ends after event {seen}"
            except (httpx.TransportError, OSError, EOFError, WebSocketException):
                losses, was_lost = losses + 1, True
                if seen < 0 or losses > LOSSES:
                    raise
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def _stream(self, one: Sent, seen: int) -> AsyncGenerator[tuple[str, _Told]]:
        if seen < 0:
            body = body_of(one) | {"stream": True}
            reading = self.http.stream("POST", path_of(one, "/chat/stream"), json=body, headers=headers_of(one))
        else:
            reading = self.http.stream("GET", f"/turns/{one.turn_id}/stream?after={seen}")
        async with reading as reply:
            if reply.status_code != 200:
                await reply.aread()
                self._refuse(one, reply, seen)
            yield _served_by(reply.headers), _events(reply)

    @asynccontextmanager
    async def _socket(self, one: Sent, seen: int) -> AsyncGenerator[tuple[str, _Told]]:
        asked = message_frame(one) if seen < 0 else {"type": "resume", "turn_id": one.turn_id, "after_seq": seen}
        async with connect(self._ws_url, compression=None, proxy=None) as socket:
            await socket.send(json.dumps(asked))
            assert socket.response
            yield _served_by(socket.response.headers), _frames(one, socket, seen)

    def _refuse(self, one: Sent, response: httpx.Response, seen: int = -1) -> None:
        if "application/json" not in response.headers.get("content-type", ""):
            raise Lost  # the balancer says so
        _see_that_it_may_be_lost(response.json()["error"]["code"], seen)
        refused(one, response)


def forget(one: Sent) -> None:
    """Forget that it failed before."""
    one.failure = None


def _has_ended(one: Sent) -> bool:
    return one.message_id is not None or one.failure is not None


def _see_that_it_may_be_lost(code: str, seen: int) -> None:
    """Raise ``Lost`` where a turn cannot be read on, as its server has gone or does not answer now."""
    if seen >= 0:
        assert code in UNREADABLE, f"a turn whose event {seen} was seen is refused: {code}"
        raise Lost


async def _events(reply: httpx.Response) -> _Told:
    """Yield the numbered events of a stream."""
    seq = -1
    async for line in reply.aiter_lines():
        if line.startswith("id: "):
            seq = int(line.removeprefix("id: ").rpartition(":")[2])
        elif line.startswith("data: {"):
            yield seq, json.loads(line.removeprefix("data: "))


async def _frames(one: Sent, socket: ClientConnection, seen: int) -> _Told:
    """Yield the numbered events that a socket tells."""
    while True:
        frame = json.loads(await socket.recv())
        if "seq" in frame:
            yield frame["seq"], frame
            continue
        _see_that_it_may_be_lost(frame["code"], seen)
        take_frame(one, frame)
        return


def _served_by(headers: Mapping[str, str]) -> str:
    """Return which server the balancer has got the answer from, after all that did not give one."""
    return headers[SERVED_BY].rpartition(", ")[2]
