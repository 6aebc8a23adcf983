"""The other end of a reply in the making: it may leave, and has to be kept awake."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive, Send

__all__ = ["ClientLeft", "Connection"]

HEARTBEAT = b": still here\n"
"""A comment without the empty line that ends an event: OpenAI's client takes one after an id for an empty event."""


class ClientLeft(Exception):
    """The client closed its connection before the end of the reply."""


class Connection:
    """An async context manager: the block ends with ``ClientLeft`` as soon as the client leaves.

    With ``heartbeat_s``, a comment is sent once nothing else was for that long; the status must be out by then.
    The request's body must have been read.
    """

    def __init__(self, receive: Receive, send: Send, *, heartbeat_s: float | None = None) -> None:
        self._receive = receive
        self._send = send
        self._heartbeat_s = heartbeat_s
        self._loop = asyncio.get_running_loop()
        self._wrote_at = self._loop.time()
        self._has_left = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        self._watcher = self._loop.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.cancel()
        if kind is asyncio.CancelledError and self._has_left and self._task is not None and not self._task.uncancel():
            raise ClientLeft from None

    async def write(self, body: bytes, *, more: bool = True) -> None:
        """Send part of the body; waits while the client is slow to read."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._wrote_at = self._loop.time()

    async def _watch(self) -> None:
        while True:
            try:
                async with asyncio.timeout_at(self._next_beat_at()):
                    message = await self._receive()
            except TimeoutError:
                await self.write(HEARTBEAT)
            else:
                if message["type"] == "http.disconnect":
                    break
        self._has_left = True
        if self._task is not None:
            self._task.cancel()

    def _next_beat_at(self) -> float | None:
        if self._heartbeat_s is None:
            return None
        return self._wrote_at + self._heartbeat_s
