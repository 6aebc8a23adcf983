"""uvicorn's HTTP protocol with limits on the size of heads and on how slowly clients send and read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from idolchat_api.asgi.direct_writes import offer_direct_write, withdraw_direct_write
from idolchat_api.asgi.disconnects import Disconnect
from idolchat_api.connections.limiter import ConnectionLimiter
from idolchat_api.connections.websocket_protocol import LINGER_RESET, LimitedWebSocketProtocol
from idolchat_api.errors import Problem
from idolchat_api.settings.limits import LimitSettings

__all__ = ["LimitedHttpProtocol", "limited_protocols"]


class LimitedHttpProtocol(HttpToolsProtocol):
    """An HTTP connection that is counted, whose heads are limited, and which ``ConnectionLimiter`` may close."""

    limiter: ClassVar[ConnectionLimiter]
    settings: ClassVar[LimitSettings]

    # With these in its dictionary, that would have more names than objects can share, and each connection its own.
    __slots__ = (
        "_chunk_bytes",
        "_disconnect",
        "_has_entered",
        "is_in_body",
        "received_bytes",
        "receiving_since",
        "stalled_since",
        "unread_bytes",
    )

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.receiving_since: float | None = None
        self.is_in_body = False
        self.received_bytes = 0
        self.stalled_since: float | None = None
        self.unread_bytes = 0
        self._has_entered = False
        self._chunk_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        super().connection_made(transport)
        self._disconnect = Disconnect()
        refusal = self.limiter.acquire(self.client[0] if self.client else None)
        if refusal is not None:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections", f"{refusal}; try again in a moment")
            return
        self._has_entered = True
        self.receiving_since = self.loop.time()
        self.limiter.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._withdraw_direct_write()
        self._disconnect.notify()
        self.limiter.connections.discard(self)
        if self._has_entered:
            self._has_entered = False
            self.limiter.release(self.client[0] if self.client else None)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._chunk_bytes = len(data)
        self.received_bytes += self._chunk_bytes
        super().data_received(data)
        if (
            self.receiving_since is not None
            and not self.is_in_body
            and self.received_bytes > self.settings.max_header_bytes
        ):
            self._refuse_head(f"the head of a request has at most {self.settings.max_header_bytes} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._disconnect.offer_to(self.scope)  # type: ignore[arg-type]  # uvicorn names its own kinds of scope
        offer_direct_write(self.scope, self.write_now)  # type: ignore[arg-type]
        self.receiving_since = self.loop.time()
        self.is_in_body = False
        self.received_bytes = self._chunk_bytes

    def on_headers_complete(self) -> None:
        if len(self.headers) > self.settings.max_headers:
            self._refuse_head(f"a request has at most {self.settings.max_headers} headers")
            raise ValueError("too many headers")  # ends the parsing
        if self.received_bytes > self.settings.max_header_bytes and self._head_bytes() > self.settings.max_header_bytes:
            self._refuse_head(f"the head of a request has at most {self.settings.max_header_bytes} bytes")
            raise ValueError("too long a head")
        self.is_in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.receiving_since = None
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # paused on a long body, it would not notice that the client leaves

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol; it stays counted."""
        self.limiter.connections.discard(self)
        self._has_entered = False
        self._withdraw_direct_write()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            self._refuse(HTTPStatus.BAD_REQUEST, "malformed_request", "this is not a valid HTTP/1.1 request")

    def write_now(self, pieces: Sequence[bytes]) -> bool:
        """Write parts of the body that is being streamed; see ``DirectWrite``."""
        cycle = self.cycle
        if (
            self.pipeline  # then that is the cycle of a request which waits
            or self.flow.write_paused
            or cycle.response_complete
            or not cycle.chunked_encoding
            or self.transport.is_closing()
        ):
            return False
        body = b"".join(pieces)  # of one it is that one
        if body:  # an empty chunk would be the last
            self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    def _withdraw_direct_write(self) -> None:
        """Break the reference cycle between the last request's scope and this protocol."""
        if self.scope is not None:  # before the first
            withdraw_direct_write(self.scope)  # type: ignore[arg-type]

    def is_reading_paused(self) -> bool:
        return self.flow.read_paused

    def unread_size(self) -> int:
        return self.transport.get_write_buffer_size() if self.flow.write_paused else 0

    def close(self, why: str) -> None:
        """Close the connection, with an error reply where one can still be sent."""
        if self.receiving_since is not None and not self.flow.write_paused and self._has_not_responded():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", f"the request took too long to arrive ({why})")
        if self.flow.write_paused:
            self._discard_unread()
            self.transport.abort()
        else:
            self.transport.close()

    def _discard_unread(self) -> None:
        """Make the kernel drop unread bytes as well."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)

    def _has_not_responded(self) -> bool:
        return self.cycle is None or self.cycle.response_complete or not self.cycle.response_started  # type: ignore[redundant-expr]  # None before the first

    def _head_bytes(self) -> int:
        """Return the size of the head in bytes, without needless spaces (RFC 9112, sections 3 and 5)."""
        first_line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return first_line + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers) + len("\r\n")

    def _refuse_head(self, message: str) -> None:
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message)

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        """Send an error without the application, and close."""
        self.receiving_since = None
        kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        body = Problem(status=status, type=kind, code=code, message=message).body(None)
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, status.phrase.encode(), len(body), body)
        )
        self.transport.close()


def limited_protocols(
    limiter: ConnectionLimiter, settings: LimitSettings, *, has_login: bool
) -> tuple[type[Any], type[Any]]:
    """Return the HTTP and WebSocket protocol classes of one server."""
    about = {"limiter": limiter, "settings": settings}
    return type("Http", (LimitedHttpProtocol,), about), type(
        "Socket", (LimitedWebSocketProtocol,), about | {"has_login": has_login}
    )
