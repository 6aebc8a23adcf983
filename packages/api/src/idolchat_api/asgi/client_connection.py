"""The client of a reply that is being made: it may disconnect, and gets heartbeats."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive, Scope, Send

from idolchat_api.asgi.direct_writes import direct_write_of
from idolchat_api.asgi.disconnects import disconnect_of
from idolchat_core.errors import IdolchatError

__all__ = ["ClientConnection", "ClientLeft"]

HEARTBEAT = b": still here\n"
"""A comment without the empty line that ends an event: OpenAI's client takes one after an id for an empty event."""


class ClientLeft(Exception):
    """The client closed its connection before the end of the reply."""


class ClientConnection:
    """An async context manager whose block raises ``ClientLeft`` when the client disconnects, or the error of ``end``.

    With ``heartbeat_s``, a comment is sent once nothing else was for that long; the status must be out by then.
    The request's body must have been read.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, heartbeat_s: float | None = None) -> None:
        self._disconnect = disconnect_of(scope)
        self._direct_write = direct_write_of(scope)
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
        if self._disconnect is not None:
            self._disconnect.listen(self._leave)
        else:
            self._watching = self._loop.create_task(self._watch())
        if self._heartbeat_s is not None:
            self._timer = self._loop.call_later(self._heartbeat_s, self._beat, self._heartbeat_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._disconnect is not None:
            self._disconnect.ignore()
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
        """Send part of the body, waiting while the client is slow to read."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._wrote_at = self._loop.time()
        self._is_over = not more

    def write_now(self, body: bytes) -> bool:
        """Send part of the body, not the first or last, without waiting; False where that cannot be done."""
        if self._direct_write is None or not self._direct_write((body,)):
            return False
        self._wrote_at = self._loop.time()
        return True

    async def end(self, error: IdolchatError) -> None:
        """Raise this error in the block, between two writes; does nothing when the whole body is written."""
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
