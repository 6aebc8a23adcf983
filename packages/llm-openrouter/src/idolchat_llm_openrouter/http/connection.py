"""A connection that serves one request after another."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from idolchat_llm_openrouter.http.errors import reason_of
from idolchat_llm_openrouter.http.read_coalescing import ReadCoalescing
from idolchat_llm_openrouter.http.response import Response
from idolchat_llm_openrouter.transport import Disconnected, TransportError

__all__ = ["ConnectionOwner", "HTTPConnection"]


class ConnectionOwner(Protocol):
    """The pool as a connection sees it."""

    def opened(self, connection: HTTPConnection) -> None:
        """The connection is there."""

    def free(self, connection: HTTPConnection) -> None:
        """The connection can serve another request."""

    def lost(self, connection: HTTPConnection) -> None:
        """The connection can serve no more requests. May be called twice."""

    def gone(self, connection: HTTPConnection) -> None:
        """The connection is closed."""


class HTTPConnection(asyncio.Protocol):
    """Sends a request and feeds its response; bytes that nobody asked for end the connection."""

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._response: Response | None = None
        self._was_used = False

    def send(self, request: bytes, coalescing: ReadCoalescing) -> Response:
        """Send a request, head and body. Raises ``Disconnected``."""
        if self._transport is None:
            raise Disconnected("it closed the connection")
        self._response = response = Response(self._transport, self._loop, coalescing)
        self._transport.write(request)
        return response

    def abort(self) -> None:
        """Close the connection at once, in the middle of a response too."""
        self._owner.lost(self)
        if self._response is not None:
            self._response.interrupt("it is not used any more")
        if self._transport is not None:
            self._transport.abort()

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:
            self.abort()
            return
        response.feed(data)
        if response.is_over:
            self._settle(response)

    def eof_received(self) -> None:
        self._owner.lost(self)
        if self._response is not None:
            self._response.end()

    def connection_lost(self, error: Exception | None) -> None:
        response, self._response, self._transport = self._response, None, None
        if response is not None:
            response.fail(*self._reason(response, error))
        self._owner.lost(self)
        self._owner.gone(self)

    def _settle(self, response: Response) -> None:
        """Return the connection to the pool, unless the response came before the whole request was sent."""
        self._response = None
        if response.may_follow and self._transport and not self._transport.get_write_buffer_size():
            self._was_used = True
            self._owner.free(self)
        else:
            self.abort()

    def _reason(self, response: Response, error: Exception | None) -> tuple[type[TransportError], str]:
        if response.status:
            return TransportError, "it closed the connection amid its answer"
        if error is None or self._was_used:
            return Disconnected, "it closed the connection"
        return TransportError, reason_of(error)
