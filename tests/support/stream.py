"""Read a stream of server-sent events byte by byte, as far as one likes."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.server import Server

__all__ = ["SseEvent", "events_of", "parse", "streamed"]


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event: its bytes, ``seq`` (None of ``[DONE]``), and what its data says."""

    raw: bytes
    seq: int | None
    data: Any

    @property
    def content(self) -> str:
        """The text that it adds."""
        choices = self.data["choices"] if isinstance(self.data, dict) else []
        return "".join(choice["delta"].get("content") or "" for choice in choices)


def parse(block: bytes) -> SseEvent | None:
    """Read one block of lines; None of a comment."""
    fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if line and not line.startswith(b":"))
    if b"data" not in fields:
        return None
    seq = int(fields[b"id"].rsplit(b":", 1)[1]) if b"id" in fields else None
    data = fields[b"data"]
    without_retry = b"\n".join(line for line in block.split(b"\n") if not line.startswith((b":", b"retry")))
    return SseEvent(without_retry, seq, data.decode() if data == b"[DONE]" else json.loads(data))


async def events_of(response: httpx.Response) -> AsyncGenerator[SseEvent]:
    """Yield the events of a response as they come."""
    buffer = b""
    async for piece in response.aiter_raw():
        buffer += piece
        while b"\n\n" in buffer:
            block, buffer = buffer.split(b"\n\n", 1)
            event = parse(block)
            if event is not None:
                yield event


@asynccontextmanager
async def streamed(
    server: Server, path: str = "/chat/stream", *, json: Any = None, headers: dict[str, str] | None = None
) -> AsyncGenerator[AsyncGenerator[SseEvent]]:
    """Send a request and give the events of its reply; leaving the block closes the connection."""
    method = "GET" if json is None else "POST"
    async with server.client() as client, client.stream(method, path, json=json, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        events = events_of(response)
        try:
            yield events
        finally:
            await events.aclose()
