"""A tunnel through a proxy to a server that speaks TLS (RFC 9110, section 9.3.6)."""

from __future__ import annotations

import asyncio
import re
from typing import cast

from idolchat_llm_openrouter.transport import TransportError

__all__ = ["Tunnel"]

MAX_HEAD_BYTES = 64 * 1024
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


class Tunnel(asyncio.Protocol):
    """Asks a proxy to connect to a server; all later bytes are the server's. ``proxy`` names it in messages."""

    def __init__(self, proxy: str) -> None:
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None
        self._head = bytearray()
        self._answered = asyncio.get_running_loop().create_future()

    async def reach(self, host: str, port: int, authorization: str | None) -> asyncio.Transport:
        """Return the transport once it leads to the server. Raises ``TransportError``."""
        transport = self._transport
        if transport is None:
            raise TransportError(f"{self._proxy} closed the connection")
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        credentials = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
        transport.write(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{credentials}\r\n".encode())
        await self._answered
        status = STATUS.match(self._head)
        if status and not status[1].startswith(b"2"):
            raise TransportError(f"{self._proxy} answers HTTP {status[1].decode()}")
        if status is None or not self._head.endswith(b"\r\n\r\n"):
            raise TransportError(f"{self._proxy} does not answer as a proxy does")
        return transport

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        # In TLS the client speaks first, so no bytes of the server can follow the answer of the proxy.
        self._head += data
        if b"\r\n\r\n" in self._head or len(self._head) > MAX_HEAD_BYTES:
            self._answer()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._answer()

    def _answer(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)
