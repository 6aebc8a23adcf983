"""One answer, while it comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from idolchat_llm_openrouter.http.errors import HTTPError
from idolchat_llm_openrouter.http.read_coalescing import ReadCoalescing

__all__ = ["Response"]

type Hear = Callable[[list[bytes]], bool]

MAX_BARE_BYTES = 64 * 1024
"""How much may come in a row that is no body: heads, trailers, extensions of chunks."""

MAX_UNREAD_BYTES = 256 * 1024
"""How much waits to be read before the server is made to wait."""


class Response:
    """Takes the bytes of one answer from its connection, and gives its head and body to the one who reads it.

    ``status`` is 0 until the head has come. Once ``is_over``, the whole answer has come, read or not, and the
    connection serves others.
    """

    __slots__ = (
        "_bare_bytes",
        "_coalescing",
        "_failure",
        "_goes_on",
        "_headers",
        "_hear",
        "_is_paused",
        "_is_resting",
        "_loop",
        "_parser",
        "_pieces",
        "_raised",
        "_transport",
        "_unread_bytes",
        "_waiter",
        "is_over",
        "may_follow",
        "on_body",
        "status",
    )  # fmt: skip

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.is_over = False
        self.may_follow = False  # another request, on the same connection
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._unread_bytes = self._bare_bytes = 0
        self._is_paused = self._is_resting = False
        self._coalescing: ReadCoalescing | None = None
        # An exception that was raised refers to frames which refer to us: kept, it would make a ring.
        self._failure: tuple[type[HTTPError], str] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._hear: Hear | None = None
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
        """Wait for the head. Raises ``HTTPError``."""
        while not self.status:
            await self._more()

    def header(self, name: bytes) -> str | None:
        """Give a field of the head by its name in lower case; of several, the last."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def content_type(self) -> str:
        """Give the media type without parameters, in lower case; nothing where it is not told."""
        return (self.header(b"content-type") or "").partition(";")[0].strip().lower()

    @property
    def coding(self) -> str:
        """Name what the body is compressed with; nothing where it is not."""
        coding = (self.header(b"content-encoding") or "").strip().lower()
        return "" if coding == "identity" else coding

    async def read(self) -> bytes:
        """Give what has come of the body, waiting while that is nothing; nothing at the end. Raises ``HTTPError``."""
        while not self._pieces and not self.is_over:
            await self._more()
        return self.take()

    def take(self) -> bytes:
        """Give what has come of the body and was not given before."""
        pieces = self._taken()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _taken(self) -> list[bytes]:
        pieces = self._pieces[:]
        self._pieces.clear()
        self._unread_bytes = 0
        if self._is_paused and not self._is_resting:
            self._resume()
        return pieces

    async def tell(self, hear: Hear) -> None:
        """Call ``hear`` with pieces of the body in the moment they come, until it returns false or the body ends.

        It must be quick. What it raises is raised here, as is ``HTTPError``.
        """
        if self._pieces and not hear(self._taken()):
            return
        self._hear, self._goes_on = hear, True
        try:
            while self._goes_on and not self.is_over:
                await self._more()
            if self._raised is not None:
                raise self._raised
        finally:
            self._hear = self._raised = None

    def keep(self, coalescing: ReadCoalescing) -> None:
        """Be read together with many streams from now on."""
        self._coalescing = coalescing

    def abort(self) -> None:
        """Give the answer up unless it is over: reset the connection, so that the server stops at once.

        A polite end of a TLS session would wait for the server.
        """
        transport = self._let_go()
        if transport is not None:
            transport.abort()

    # For the connection

    def feed(self, data: bytes) -> None:
        """Take what has come."""
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
            if self._coalescing is not None and self._coalescing.pause_after_read(self):
                self._is_resting = True
                self._pause()
            elif self._unread_bytes > MAX_UNREAD_BYTES:
                self._pause()
        else:
            self._count_bare(len(data))
        if self._hear is None or not self._is_heard(self._hear):
            self._wake()

    def _count_bare(self, size_bytes: int) -> None:
        self._bare_bytes += size_bytes
        if self._bare_bytes > MAX_BARE_BYTES:
            self.fail(HTTPError, f"it sent more than {MAX_BARE_BYTES} bytes that are no body")

    def _is_heard(self, hear: Hear) -> bool:
        """Tell what has come to the one who waits; false where they have to be woken."""
        try:
            if self._pieces and self._goes_on:
                self._goes_on = hear(self._taken())
        except Exception as error:  # noqa: BLE001  is raised to the one who waits; the connection can go on
            self._goes_on, self._raised = False, error
        return self._goes_on and not self.is_over

    def end(self) -> None:
        """Take the end of the connection, which is that of an answer that does not tell its length."""
        if self.status and not self.is_over and self._failure is None and not self._tells_length():
            self.is_over = True
            self._let_go()
            self._wake()

    def fail(self, kind: type[HTTPError], why: str) -> None:
        """End the answer and its connection, unless it is over; who reads gets what came, then an error."""
        if not self.is_over and self._failure is None:
            self._failure = kind, why
            self.abort()
            self._wake()

    def go_on(self) -> None:
        """Be read again after a rest."""
        self._is_resting = False
        if self._is_paused and self._unread_bytes <= MAX_UNREAD_BYTES:
            self._resume()

    # For the parser

    def on_message_begin(self) -> None:
        """Take the beginning of an answer, or of something else behind it."""
        if self.is_over:
            raise HTTPError("nobody asked for a second answer")  # stops the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head, or of a trailer."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Take the end of a head; after that of "100 Continue" and the like the answer is still to come."""
        status = self._parser.get_status_code()
        if status < 200:
            self._headers.clear()
        else:
            self.status = status

    def on_message_complete(self) -> None:
        """Take the end of an answer."""
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
            self.fail(HTTPError, "it sent what is not HTTP")

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
        """Leave the connection, and the parser, which refers to us; give what was left."""
        transport, self._transport = self._transport, None
        if transport is not None:
            del self._parser
            if self._is_paused and self.is_over:
                transport.resume_reading()
        return transport
