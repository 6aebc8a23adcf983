"""The other end of a reply in the making: it may leave, and has to be kept awake."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive, Scope, Send

from idolchat_api.asgi.direct_writes import outlet_of
from idolchat_api.asgi.disconnects import departure_of
from idolchat_core.errors import IdolchatError

__all__ = ["ClientLeft", "Connection"]

HEARTBEAT = b": still here\n"
"""A comment without the empty line that ends an event: OpenAI's client takes one after an id for an empty event."""


class ClientLeft(Exception):
    """The client closed its connection before the end of the reply."""


class Connection:
    """An async context manager: the block ends with ``ClientLeft`` as soon as the client leaves, or as ``end`` says.

    With ``heartbeat_s``, a comment is sent once nothing else was for that long; the status must be out by then.
    The request's body must have been read.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, heartbeat_s: float | None = None) -> None:
        self._departure = departure_of(scope)
        self._outlet = outlet_of(scope)
        self._receive = receive
        self._send = send
        self._heartbeat_s = heartbeat_s
        self._loop = asyncio.get_running_loop()
        self._wrote_at = self._loop.time()
        self._has_left = self._is_over = False
        self._ended_by: IdolchatError | None = None
        self._watching: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        if self._departure is not None:
            self._departure.listen(self._leave)
        else:
            self._watching = self._loop.create_task(self._watch())
        if self._heartbeat_s is not None:
            self._timer = self._loop.call_later(self._heartbeat_s, self._beat, self._heartbeat_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._departure is not None:
            self._departure.ignore()
        if self._timer is not None:
            self._timer.cancel()
        for task in (self._watching, self._beating):
            if task is not None:
                task.cancel()
        # A cancelled task holds its frames, and those hold this: a circle that only the collector would find.
        self._watching = self._beating = None
        is_ours = self._has_left or self._ended_by is not None
        if kind is asyncio.CancelledError and is_ours and self._task is not None and not self._task.uncancel():
            raise self._ended_by or ClientLeft from None

    async def write(self, body: bytes, *, more: bool = True) -> None:
        """Send part of the body; waits while the client is slow to read."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._wrote_at = self._loop.time()
        self._is_over = not more

    def write_now(self, body: bytes) -> bool:
        """Send part of the body without waiting, where that can be done; it must not be the first or the last."""
        if self._outlet is None or not self._outlet((body,)):
            return False
        self._wrote_at = self._loop.time()
        return True

    async def end(self, error: IdolchatError) -> None:
        """End the block with this error, at a place between two writes; nothing happens when all is written."""
        if self._task is not None and not (self._has_left or self._is_over or self._ended_by):
            self._ended_by = error
            self._task.cancel()

    def _beat(self, every_s: float) -> None:
        wait_s = self._wrote_at + every_s - self._loop.time()
        if wait_s <= 0:
            wait_s = every_s
            if self._beating is None or self._beating.done():
                self._beating = self._loop.create_task(self.write(HEARTBEAT))
        self._timer = self._loop.call_later(wait_s, self._beat, every_s)

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self._has_left = True
        if self._task is not None and self._ended_by is None:
            self._task.cancel()
