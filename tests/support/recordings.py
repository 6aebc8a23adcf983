"""Serves recorded answers of model servers.

A recording is the body of a response. Lines at its beginning that start with ``!`` are ``!status 400 Bad Request`` and
``!type application/json``; a line ``@sleep 1.5`` is a pause in seconds.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.raw_server import RawServer, raw_server, request_from

PAUSE = re.compile(rb"^@sleep ([\d.]+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Recording:
    status: str
    media_type: str
    pieces: list[bytes | float]

    @property
    def body(self) -> bytes:
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))


def recording(data: bytes) -> Recording:
    status, media_type = "200 OK", "text/event-stream"
    while data.startswith(b"!"):
        line, _, data = data.partition(b"\n")
        name, _, value = line[1:].decode().partition(" ")
        status, media_type = (value, media_type) if name == "status" else (status, value)
    parts = PAUSE.split(data)
    pieces = [float(part) if number % 2 else part for number, part in enumerate(parts)]
    return Recording(status, media_type, pieces)


@asynccontextmanager
async def serving(played: Recording) -> AsyncIterator[RawServer]:
    """Answer every request with a recording, then close the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        head = f"HTTP/1.1 {played.status}\r\nContent-Type: {played.media_type}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        for piece in played.pieces:
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        writer.close()
        await writer.wait_closed()

    async with raw_server(serve) as server:
        yield server


def recorded(folder: Path, name: str) -> Recording:
    return recording((folder / f"{name}.sse").read_bytes())
