"""A server that answers with whatever bytes a test wants."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class RawServer:
    """A running server; ``connections`` counts those that were made."""

    def __init__(self, serve: Serve) -> None:
        self.connections = 0
        self.port = 0
        self._serve = serve

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # who asked has gone
        finally:
            writer.transport.abort()


@asynccontextmanager
async def raw_server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Listen on loopback; ``serve`` is called with each connection, which is closed when it returns."""
    running = RawServer(serve)
    server = await asyncio.start_server(running.connected, "127.0.0.1", 0, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()


async def request_from(reader: asyncio.StreamReader) -> bytes:
    """Read a request, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


def answering(*answers: bytes) -> Serve:
    """Answer the requests of each connection with these, one after another, then close it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await request_from(reader)
            writer.write(answer)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    return serve
