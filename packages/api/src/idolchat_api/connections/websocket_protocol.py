"""uvicorn's WebSocket protocol with limits on message size and on how slowly clients send and read."""

from __future__ import annotations

import socket
import struct
from asyncio.transports import BaseTransport
from collections.abc import Sequence
from typing import Any, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from idolchat_api.asgi.direct_writes import offer_direct_write, withdraw_direct_write
from idolchat_api.connections.limiter import ConnectionLimiter

__all__ = ["FIRST_MESSAGE_BYTES", "LINGER_RESET", "LimitedWebSocketProtocol"]

LINGER_RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER (socket(7)): a closed connection's unread bytes are dropped by the kernel, too."""
FIRST_MESSAGE_BYTES = 16 * 1024
"""The largest message of a socket of which nobody knows yet whose it is: a token has at most half of that."""
LARGEST_CONTROL_FRAME = 131
"""Two bytes, a mask and 125 bytes (RFC 6455, sections 5.2 and 5.5); what is so little costs nothing to wait for."""
SHORT_BYTES = 125
"""Of a message whose length stands in the second byte of its frame."""
INVALID_TEXT = 1007
"""As the two below, of RFC 6455, section 7.4.1."""
POLICY_VIOLATION = 1008
TOO_BIG = 1009


class LimitedWebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that stays counted as a connection, and which ``ConnectionLimiter`` may close."""

    limiter: ClassVar[ConnectionLimiter]
    has_login: ClassVar[bool]

    receiving_since: float | None = None
    is_in_body = True
    received_bytes = 0
    stalled_since: float | None = None
    unread_bytes = 0
    _offers_direct_write = False
    _max_message_bytes = FIRST_MESSAGE_BYTES

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.limiter.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._offers_direct_write:
            withdraw_direct_write(self.scope)  # type: ignore[arg-type]  # else it would refer to us, who refer to it
        self.limiter.connections.discard(self)
        self.limiter.release(self.client[0] if self.client else None)

    def handle_connect(self, event: Any) -> None:
        """Read little of a socket that came without a token, until its first message is there."""
        if not self.has_login or "Authorization" in event.headers:
            self._max_message_bytes = self.config.ws_max_size
        super().handle_connect(event)
        if not self.handshake_complete:  # else it was refused, and there is no scope
            offer_direct_write(self.scope, self.write_now)  # type: ignore[arg-type]  # uvicorn names its own kinds of scope
            self._offers_direct_write = True

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        begun_bytes = len(self.conn.reader.buffer)
        if self.close_sent:
            if begun_bytes > FIRST_MESSAGE_BYTES:
                self.transport.abort()
        elif not self.frames and begun_bytes <= LARGEST_CONTROL_FRAME:
            self.receiving_since = None
        elif self.receiving_since is None:
            self.receiving_since = self.loop.time()
            self.received_bytes = begun_bytes + self._frames_bytes()
        else:
            self.received_bytes += len(data)
        if self.receiving_since is not None and self.received_bytes > 2 * self._max_message_bytes:
            self._fail(TOO_BIG, "the message is too long")  # twice: it may come in ever so many pieces, empty ones too

    def send_receive_event_to_app(self) -> None:
        self.receiving_since = None
        if not self.close_sent and self._frames_bytes() > self._max_message_bytes:
            self._fail(TOO_BIG, f"the first message has at most {self._max_message_bytes} bytes")
            return
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames):
            self._fail(INVALID_TEXT, "a text message is UTF-8")  # the base class would log an error of ours
            return
        self._max_message_bytes = self.config.ws_max_size  # which the base class has websockets hold to
        super().send_receive_event_to_app()

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read, since each of its pings would be answered."""
        super().pause_writing()
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Resume reading, unless a message still waits for the application."""
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    async def receive(self) -> Any:
        """Return a message, without resuming to read from a client that does not read, as the base class would."""
        message = await super().receive()
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()
        return message

    async def send(self, message: Any) -> None:
        """Send an event; a refusal completes the handshake, which the base class takes for an error of ours."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    def write_now(self, pieces: Sequence[bytes]) -> bool:
        """Write text messages; see ``DirectWrite``."""
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

    def is_reading_paused(self) -> bool:
        return self.read_paused or not self.writable.is_set()

    def unread_size(self) -> int:
        is_waiting = not self.writable.is_set() or self.transport.is_closing()
        return self.transport.get_write_buffer_size() if is_waiting else 0

    def close(self, why: str) -> None:
        """Close the socket, with a close frame where one can still be sent."""
        if self.writable.is_set() and not self.close_sent and not self.transport.is_closing():
            self._fail(POLICY_VIOLATION, why)
            return
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.transport.abort()

    def _frames_bytes(self) -> int:
        return sum(map(len, self.frames))

    def _fail(self, code: int, reason: str) -> None:
        self.receiving_since = None
        self.conn.fail(code, reason)
        self.handle_parser_exception()  # tells the application and the client, and closes


def _is_text(frames: Sequence[bytes]) -> bool:
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True


def _text_frame(text: bytes) -> bytes:
    """Encode a server's text message as one frame: unmasked, without extensions (RFC 6455, section 5.2)."""
    size = len(text)
    if size <= SHORT_BYTES:
        return b"\x81%c%b" % (size, text)
    if size < 1 << 16:
        return b"\x81\x7e%b%b" % (size.to_bytes(2), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8), text)
