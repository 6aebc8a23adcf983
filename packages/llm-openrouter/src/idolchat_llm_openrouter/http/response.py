"""A response while it arrives."""

from __future__ import annotations

import asyncio

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from idolchat_llm_openrouter.http.read_coalescing import ReadCoalescing
from idolchat_llm_openrouter.transport import OnPieces, TransportError

__all__ = ["Response"]

MAX_BARE_BYTES = 64 * 1024
"""The limit for bytes in a row that are no body: heads, trailers, chunk extensions."""

MAX_UNREAD_BYTES = 256 * 1024
"""With more unread bytes than this, reading from the socket pauses."""


class Response:
    """Parses one response from the bytes of its connection and holds its head and body for the reader.

    ``status`` is 0 until the head has come. Once ``is_over``, the whole answer has come, read or not, and the
    connection serves others.
    """

    __slots__ = (
        "_bare_bytes", "_coalescing", "_failure", "_goes_on", "_headers", "_is_paused", "_is_resting", "_is_stream",
        "_loop", "_on_pieces", "_parser", "_pieces", "_raised", "_transport", "_unread_bytes", "_waiter", "is_over",
        "may_follow", "on_body", "status",
    )  # fmt: skip

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, coalescing: ReadCoalescing
    ) -> None:
        self.status = 0
        self.is_over = False
        self.may_follow = False  # another request, on the same connection
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._unread_bytes = self._bare_bytes = 0
        self._is_paused = self._is_resting = False
        self._coalescing = coalescing
        self._is_stream = False
        # An exception that was raised refers to frames which refer to us: kept, it would make a ring.
        self._failure: tuple[type[TransportError], str] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._on_pieces: OnPieces | None = None
        self._raised: Exception | None = None
        self._goes_on = False
        self._loop = loop
        self._transport: asyncio.Transport | None = transport
        self.on_body = self._pieces.append
        self._parser = HttpResponseParser(self)
        # For the sake of small servers. On our connections nobody else's answer can be smuggled in.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    # For the one who reads

    async def head(self) -> None:
        """Wait for the head. Raises ``TransportError``."""
        while not self.status:
            await self._more()

    def header(self, name: str) -> str | None:
        """Look up a header by its name in lower case; of several, the last."""
        value = self._headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    async def read(self) -> bytes:
        """Wait for the next part of the body; empty at its end. Raises ``TransportError``."""
        while not self._pieces and not self.is_over:
            await self._more()
        return self.take()

    def take(self) -> bytes:
        """Return what has arrived of the body since the last call."""
        pieces = self._taken()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _taken(self) -> list[bytes]:
        pieces = self._pieces[:]
        self._pieces.clear()
        self._unread_bytes = 0
        if self._is_paused and not self._is_resting:
            self._resume()
        return pieces

    async def deliver(self, on_pieces: OnPieces) -> None:
        """Call ``on_pieces`` with parts of the body as they arrive, until it returns false or the body ends.

        It must be quick. What it raises is raised here, as is ``TransportError``.
        """
        if self._pieces and not on_pieces(self._taken()):
            return
        self._on_pieces, self._goes_on = on_pieces, True
        try:
            while self._goes_on and not self.is_over:
                await self._more()
            if self._raised is not None:
                raise self._raised
        finally:
            self._on_pieces = self._raised = None

    def expect_stream(self) -> None:
        """Mark it as a stream: where there are many, they are read together from now on."""
        if self._transport is not None and not self._is_stream:
            self._is_stream = True
            self._coalescing.streams += 1

    def interrupt(self, reason: str) -> None:
        """End the response unless it is over; the reader gets what came, then the reason."""
        self.fail(TransportError, reason)

    def abort(self) -> None:
        """Abandon the response. Unless it is over, its connection is reset, so that the server stops at once.

        A polite end of a TLS session would wait for the server.
        """
        transport = self._let_go()
        if transport is not None:
            transport.abort()

    # For the connection

    def feed(self, data: bytes) -> None:
        """Parse the next bytes of the connection."""
        if self._transport is None:
            return
        had = len(self._pieces)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._misunderstood()
        if self.is_over:
            self._let_go()
        elif len(self._pieces) > had:
            self._bare_bytes = 0
            self._unread_bytes += len(data)
            if self._is_stream and self._coalescing.pause_after_read(self):
                self._is_resting = True
                self._pause()
            elif self._unread_bytes > MAX_UNREAD_BYTES:
                self._pause()
        else:
            self._count_bare(len(data))
        if self._on_pieces is None or not self._is_delivered(self._on_pieces):
            self._wake()

    def _count_bare(self, size_bytes: int) -> None:
        self._bare_bytes += size_bytes
        if self._bare_bytes > MAX_BARE_BYTES:
            self.fail(TransportError, f"it sent more than {MAX_BARE_BYTES} bytes that are no body")

    def _is_delivered(self, on_pieces: OnPieces) -> bool:
        """Hand new parts of the body to ``on_pieces``; return false when the reader has to be woken."""
        try:
            if self._pieces and self._goes_on:
                self._goes_on = on_pieces(self._taken())
        except Exception as error:  # noqa: BLE001  is raised to the one who waits; the connection can go on
            self._goes_on, self._raised = False, error
        return self._goes_on and not self.is_over

    def end(self) -> None:
        """End of the connection; it also ends a response that declares no length."""
        if self.status and not self.is_over and self._failure is None and not self._tells_length():
            self.is_over = True
            self._let_go()
            self._wake()

    def fail(self, kind: type[TransportError], why: str) -> None:
        """End the response and its connection unless it is over; the reader gets what came, then the error."""
        if not self.is_over and self._failure is None:
            self._failure = kind, why
            self.abort()
            self._wake()

    def go_on(self) -> None:
        """Resume reading after a pause for coalescing."""
        self._is_resting = False
        if self._is_paused and self._unread_bytes <= MAX_UNREAD_BYTES:
            self._resume()

    # For the parser

    def on_message_begin(self) -> None:
        if self.is_over:
            raise TransportError("nobody asked for a second answer")  # stops the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # else it is a trailer, which is no header (RFC 9110, section 6.5.1)
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers.clear()
        else:
            self.status = status

    def on_message_complete(self) -> None:
        if self.status:
            self.is_over = True
            self.may_follow = self._parser.should_keep_alive()

    # What these have in common

    def _more(self) -> asyncio.Future[None]:
        if self._failure is not None:
            kind, why = self._failure
            raise kind(why)
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _misunderstood(self) -> None:
        if self.is_over:
            self.may_follow = False
        else:
            self.fail(TransportError, "it sent what is not HTTP")

    def _tells_length(self) -> bool:
        codings = self._headers.get(b"transfer-encoding", b"")
        return b"content-length" in self._headers or b"chunked" in codings.lower()

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        self._is_paused = False
        if self._transport is not None:
            self._transport.resume_reading()

    def _let_go(self) -> asyncio.Transport | None:
        """Detach from the connection and drop the parser, which refers to us; return the transport that was left."""
        transport, self._transport = self._transport, None
        if transport is not None:
            if self._is_stream:
                self._coalescing.streams -= 1
            del self._parser
            if self._is_paused and self.is_over:
                transport.resume_reading()
        return transport
