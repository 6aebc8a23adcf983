"""uvicorn's WebSocket protocol, with an eye on who sends without end, too slowly, or reads nothing."""

from __future__ import annotations

import socket
import struct
from asyncio.transports import BaseTransport
from collections.abc import Sequence
from typing import Any, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from idolchat_api.asgi.direct_writes import offer_outlet, without_outlet
from idolchat_api.connections.limiter import Doors

__all__ = ["AT_ONCE", "FIRST_MESSAGE_BYTES", "GuardedSocket"]

AT_ONCE = struct.pack("ii", 1, 0)
"""For SO_LINGER (socket(7)): a closed connection's unread bytes are dropped by the kernel, too."""
FIRST_MESSAGE_BYTES = 16 * 1024
"""The largest message of a socket of which nobody knows yet whose it is: a token has at most half of that."""
LARGEST_CONTROL_FRAME = 131
"""Two bytes, a mask and 125 bytes (RFC 6455, sections 5.2 and 5.5); what is so little costs nothing to wait for."""
SHORT_BYTES = 125
"""Of a message whose length stands in the second byte of its frame."""
POLICY_VIOLATION = 1008
TOO_BIG = 1009


class GuardedSocket(WebSocketsSansIOProtocol):
    """A WebSocket that is counted as the connection that it was, and which can be dismissed."""

    doors: ClassVar[Doors]
    has_login: ClassVar[bool]

    owes_since: float | None = None
    is_in_body = True
    owed_bytes = 0
    stalled_since: float | None = None
    unread_bytes = 0
    _has_outlet = False
    _max_message_bytes = FIRST_MESSAGE_BYTES

    def connection_made(self, transport: BaseTransport) -> None:
        """Take the connection over."""
        super().connection_made(transport)
        self.doors.guests.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the client has gone."""
        super().connection_lost(exc)
        if self._has_outlet:
            without_outlet(self.scope)  # type: ignore[arg-type]  # else it would refer to us, who refer to it
        self.doors.guests.discard(self)
        self.doors.leave(self.client[0] if self.client else None)

    def handle_connect(self, event: Any) -> None:
        """Read little of a socket that came without a token, until its first message is there."""
        if not self.has_login or "Authorization" in event.headers:
            self._max_message_bytes = self.config.ws_max_size
        super().handle_connect(event)
        if not self.handshake_complete:  # else it was refused, and there is no scope
            offer_outlet(self.scope, self.write_now)  # type: ignore[arg-type]  # uvicorn names its own kinds of scope
            self._has_outlet = True

    def data_received(self, data: bytes) -> None:
        """Take what has come, and take note of a message that has begun."""
        super().data_received(data)
        begun_bytes = len(self.conn.reader.buffer)
        if self.close_sent:
            if begun_bytes > FIRST_MESSAGE_BYTES:
                self.transport.abort()
        elif not self.frames and begun_bytes <= LARGEST_CONTROL_FRAME:
            self.owes_since = None
        elif self.owes_since is None:
            self.owes_since = self.loop.time()
            self.owed_bytes = begun_bytes + self._frames_bytes()
        else:
            self.owed_bytes += len(data)
        if self.owes_since is not None and self.owed_bytes > 2 * self._max_message_bytes:
            self._fail(TOO_BIG, "the message is too long")  # twice: it may come in ever so many pieces, empty ones too

    def send_receive_event_to_app(self) -> None:
        """Pass a message on, and wait for the next."""
        self.owes_since = None
        if not self.close_sent and self._frames_bytes() > self._max_message_bytes:
            self._fail(TOO_BIG, f"the first message has at most {self._max_message_bytes} bytes")
            return
        self._max_message_bytes = self.config.ws_max_size  # which the base class has websockets hold to
        super().send_receive_event_to_app()

    def pause_writing(self) -> None:
        """Read nothing of a client that does not read: each ping, too, is answered."""
        super().pause_writing()
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on, unless there is a message that nobody has taken yet."""
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    async def receive(self) -> Any:
        """Give a message; the base reads on then, whether the client reads or not."""
        message = await super().receive()
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()
        return message

    def write_now(self, pieces: Sequence[bytes]) -> bool:
        """Write text messages, as ``Outlet`` says."""
        if (
            not self.writable.is_set()
            or not self.handshake_complete
            or self.close_sent
            or self.disconnected
            or self.conn.state is not State.OPEN
            or self.transport.is_closing()
        ):
            return False
        self.transport.write(b"".join(map(_text_frame, pieces)))
        return True

    def is_held_back(self) -> bool:
        """Tell whether it is us who do not read."""
        return self.read_paused or not self.writable.is_set()

    def unread(self) -> int:
        """Count the bytes that wait for the client to read, where they are more than is usual."""
        is_waiting = not self.writable.is_set() or self.transport.is_closing()
        return self.transport.get_write_buffer_size() if is_waiting else 0

    def dismiss(self, why: str) -> None:
        """Close the socket; a client that can still be told is told."""
        if self.writable.is_set() and not self.close_sent and not self.transport.is_closing():
            self._fail(POLICY_VIOLATION, why)
            return
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.transport.abort()

    def _frames_bytes(self) -> int:
        return sum(map(len, self.frames))

    def _fail(self, code: int, reason: str) -> None:
        self.owes_since = None
        self.conn.fail(code, reason)
        self.handle_parser_exception()  # tells the application and the client, and closes


def _text_frame(text: bytes) -> bytes:
    """Frame a whole text message of a server: unmasked, and without extensions (RFC 6455, section 5.2)."""
    size = len(text)
    if size <= SHORT_BYTES:
        return b"\x81%c%b" % (size, text)
    if size < 1 << 16:
        return b"\x81\x7e%b%b" % (size.to_bytes(2), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8), text)
