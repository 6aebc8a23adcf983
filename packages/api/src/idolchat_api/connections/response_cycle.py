"""A request and its response as uvicorn serves them, but for the head, which is written in one step."""

from __future__ import annotations

from operator import itemgetter

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

__all__ = ["ResponseCycle"]

_WITHOUT_BODY = frozenset({204, 304})
_NOT_IN_VALUES = bytes({*range(0x20), 0x7F} - set(b"\t"))
_NOT_IN_NAMES = bytes({*range(0x20), 0x7F}) + b'()<>@,;:\\"[]={} \t'
"""RFC 9110, sections 5.5 and 5.6.2; control characters alone would let a value begin another header."""
_value = itemgetter(1)


class ResponseCycle(RequestResponseCycle):
    """Looks at all headers of a response together: uvicorn takes two regular expressions for each of them."""

    async def send(self, message: Message) -> None:  # type: ignore[override]  # uvicorn names its own kinds of message
        if self.response_started or message["type"] != "http.response.start":
            await super().send(message)  # type: ignore[arg-type]
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self.response_started = True
            self.waiting_for_100_continue = False
            self.transport.write(self._head(message["status"], [*self.default_headers, *message.get("headers", ())]))

    def _head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Write a head, and set how the body is sent. Raises ``RuntimeError`` for a header that is none."""
        given = dict(headers)  # in ASGI their names are lower case
        names, values = b"".join(given), b"".join(map(_value, headers))
        # A regular expression takes four times as long to find nothing.
        if names.translate(None, _NOT_IN_NAMES) != names or values.translate(None, _NOT_IN_VALUES) != values:
            raise RuntimeError("a header of the response is no valid HTTP header")
        if b"content-length" in given:
            self.expected_content_length = int(given[b"content-length"])
            self.chunked_encoding = False
        elif self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY:
            self.chunked_encoding = True
            headers.append((b"transfer-encoding", b"chunked"))
        if b"close" in given.get(b"connection", b"").lower():
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        return b"%b%b\r\n\r\n" % (STATUS_LINE[status], b"\r\n".join(map(b": ".join, headers)))
