"""A client of several servers behind a balancer, who goes on elsewhere where one is lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import httpx

from tests.support.cluster import Cluster
from tests.support.ledger import Ledger, Sent
from tests.support.ledger_client import LedgerClient, Lost, body_of, headers_of, path_of, refused, take_chunk

__all__ = ["FINAL", "PASSING", "ClusterClient"]

PASSING = frozenset({"storage_unavailable", "shutting_down", "turn_interrupted", "interrupted", "turn_incomplete"})
"""Errors after which the same request is sent again."""
FINAL = frozenset({"turn_not_retryable"})
"""Errors after which a turn stays unfinished: the conversation has moved on."""
RESUMES = 3
PATIENCE_S = 120


class ClusterClient(LedgerClient):
    """Follows a stream on another server where the first is gone, from the event after the last one it has seen."""

    def __init__(self, cluster: Cluster, http: httpx.AsyncClient, ledger: Ledger) -> None:
        super().__init__(cluster.ws_url, http, ledger)
        self.resumed = 0
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
        body = body_of(one) | {"stream": True}
        seen = -1
        try:
            async with self.http.stream(
                "POST", path_of(one, "/chat/stream"), json=body, headers=headers_of(one)
            ) as reply:
                if reply.status_code != 200:
                    await reply.aread()
                    self._refuse(one, reply)
                    return
                async for seq, chunk in _events(reply):
                    seen = _next(seq, seen)
                    take_chunk(one, chunk)
                return
        except (httpx.TransportError, OSError):
            if one.turn_id is None or one.message_id is not None:
                raise
        await self._go_on(one, seen)

    async def _go_on(self, one: Sent, seen: int) -> None:
        """Follow the turn after the last event that was seen."""
        for _ in range(RESUMES):
            try:
                async with self.http.stream("GET", f"/turns/{one.turn_id}/stream?after={seen}") as reply:
                    if reply.status_code != 200:
                        await reply.aread()
                        raise Lost
                    self.resumed += 1
                    async for seq, chunk in _events(reply):
                        seen = _next(seq, seen)
                        take_chunk(one, chunk)
                    return
            except (httpx.TransportError, OSError):
                await asyncio.sleep(0.1)
        raise Lost

    def _refuse(self, one: Sent, response: httpx.Response) -> None:
        if "application/json" not in response.headers.get("content-type", ""):
            raise Lost  # the balancer says so
        refused(one, response)


def forget(one: Sent) -> None:
    """Forget that it failed before."""
    one.failure = None


def _next(seq: int | None, seen: int) -> int:
    assert seq == seen + 1, f"event {seq} follows {seen}"
    return seq


async def _events(reply: httpx.Response) -> AsyncGenerator[tuple[int | None, Any]]:
    """Yield the numbered events of a stream, and the error that ends one."""
    seq = None
    async for line in reply.aiter_lines():
        if line.startswith("id: "):
            seq = int(line.removeprefix("id: ").rpartition(":")[2])
        elif line.startswith("data: {"):
            yield seq, json.loads(line.removeprefix("data: "))
