"""uvicorn's HTTP protocol, with an eye on what a client owes: the rest of a head or of a body that it has begun."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from idolchat_api.asgi.direct_writes import offer_outlet, without_outlet
from idolchat_api.asgi.disconnects import Departure
from idolchat_api.connections.limiter import Doors
from idolchat_api.connections.websocket_protocol import AT_ONCE, GuardedSocket
from idolchat_api.errors import Problem
from idolchat_api.settings.limits import LimitSettings

__all__ = ["GuardedHttp", "guarded"]


class GuardedHttp(HttpToolsProtocol):
    """A connection that is counted, whose heads are bounded, and which can be dismissed."""

    doors: ClassVar[Doors]
    settings: ClassVar[LimitSettings]

    # With these in its dictionary, that would have more names than objects can share, and each connection its own.
    __slots__ = (
        "_chunk_bytes",
        "_departure",
        "_has_entered",
        "is_in_body",
        "owed_bytes",
        "owes_since",
        "stalled_since",
        "unread_bytes",
    )

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.owes_since: float | None = None
        self.is_in_body = False
        self.owed_bytes = 0
        self.stalled_since: float | None = None
        self.unread_bytes = 0
        self._has_entered = False
        self._chunk_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        """Let the client in, or tell it why not."""
        super().connection_made(transport)
        self._departure = Departure()
        refusal = self.doors.enter(self.client[0] if self.client else None)
        if refusal is not None:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections", f"{refusal}; try again in a moment")
            return
        self._has_entered = True
        self.owes_since = self.loop.time()
        self.doors.guests.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the client has gone."""
        super().connection_lost(exc)
        self._take_outlet_back()
        self._departure.happen()
        self.doors.guests.discard(self)
        if self._has_entered:
            self._has_entered = False
            self.doors.leave(self.client[0] if self.client else None)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless it makes a head too long."""
        if self.transport.is_closing():
            return
        self._chunk_bytes = len(data)
        self.owed_bytes += self._chunk_bytes
        super().data_received(data)
        if self.owes_since is not None and not self.is_in_body and self.owed_bytes > self.settings.max_header_bytes:
            self._refuse_head(f"the head of a request has at most {self.settings.max_header_bytes} bytes")

    def on_message_begin(self) -> None:
        """Begin to wait for a head."""
        super().on_message_begin()
        self._departure.offer_to(self.scope)  # type: ignore[arg-type]  # uvicorn names its own kinds of scope
        offer_outlet(self.scope, self.write_now)  # type: ignore[arg-type]
        self.owes_since = self.loop.time()
        self.is_in_body = False
        self.owed_bytes = self._chunk_bytes

    def on_headers_complete(self) -> None:
        """Begin to wait for a body."""
        if len(self.headers) > self.settings.max_headers:
            self._refuse_head(f"a request has at most {self.settings.max_headers} headers")
            raise ValueError("too many headers")  # ends the parsing
        if self.owed_bytes > self.settings.max_header_bytes and self._head_bytes() > self.settings.max_header_bytes:
            self._refuse_head(f"the head of a request has at most {self.settings.max_header_bytes} bytes")
            raise ValueError("too long a head")
        self.is_in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for nothing, but the end of the connection."""
        self.owes_since = None
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # paused on a long body, it would not notice that the client leaves

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, with its place among those who are in."""
        self.doors.guests.discard(self)
        self._has_entered = False
        self._take_outlet_back()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        if not self.transport.is_closing():
            self._refuse(HTTPStatus.BAD_REQUEST, "malformed_request", "this is not a valid HTTP/1.1 request")

    def write_now(self, pieces: Sequence[bytes]) -> bool:
        """Write pieces of the body that is being streamed, as ``Outlet`` says."""
        cycle = self.cycle
        if (
            self.pipeline  # then that is the cycle of a request which waits
            or self.flow.write_paused
            or cycle.response_complete
            or not cycle.chunked_encoding
            or self.transport.is_closing()
        ):
            return False
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if body:  # an empty chunk would be the last
            self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    def _take_outlet_back(self) -> None:
        """Have the last request not refer to us, who refer to it."""
        if self.scope is not None:  # before the first
            without_outlet(self.scope)  # type: ignore[arg-type]

    def is_held_back(self) -> bool:
        """Tell whether it is us who do not read."""
        return self.flow.read_paused

    def unread(self) -> int:
        """Count the bytes that wait for the client to read, where they are more than is usual."""
        return self.transport.get_write_buffer_size() if self.flow.write_paused else 0

    def dismiss(self, why: str) -> None:
        """Close the connection; a client that can still be told is told."""
        if self.owes_since is not None and not self.flow.write_paused and self._is_silent():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", f"the request took too long to arrive ({why})")
        if self.flow.write_paused:
            self._forget_unread()
            self.transport.abort()
        else:
            self.transport.close()

    def _forget_unread(self) -> None:
        """Have the kernel drop what the client does not read, too."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)

    def _is_silent(self) -> bool:
        return self.cycle is None or self.cycle.response_complete or not self.cycle.response_started  # type: ignore[redundant-expr]  # None before the first

    def _head_bytes(self) -> int:
        """Count the bytes of a head without needless spaces (RFC 9112, sections 3 and 5)."""
        first_line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return first_line + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers) + len("\r\n")

    def _refuse_head(self, message: str) -> None:
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message)

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        """Answer outside of any application, and close."""
        self.owes_since = None
        kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        body = Problem(status=status, type=kind, code=code, message=message).body(None)
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, status.phrase.encode(), len(body), body)
        )
        self.transport.close()


def guarded(doors: Doors, settings: LimitSettings, *, has_login: bool) -> tuple[type[Any], type[Any]]:
    """Make the protocols of one server, for HTTP and for WebSocket."""
    about = {"doors": doors, "settings": settings}
    return type("Http", (GuardedHttp,), about), type("Socket", (GuardedSocket,), about | {"has_login": has_login})
