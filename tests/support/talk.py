"""Say something to a server over each transport, and hear the reply."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncStream
from openai.types.chat import ChatCompletionChunk
from websockets.asyncio.client import ClientConnection, connect

from tests.support.server import Server

__all__ = ["TRANSPORTS", "Heard", "say", "say_over", "socket"]


PATIENCE_S = 60
FRAME_FIELDS = ("conversation_id", "user_id", "character_id", "model", "client_message_id", "on_busy")


class Heard:
    """A reply: its pieces in order, and what the end told."""

    def __init__(self, pieces: list[str], *, conversation_id: str, turn_id: str, end: dict[str, Any]) -> None:
        self.pieces = pieces
        self.text = "".join(pieces)
        self.conversation_id = conversation_id
        self.turn_id = turn_id
        self.end = end


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


async def say_rest(server: Server, text: str, **more: Any) -> Heard:
    async with server.client() as client:
        response = await client.post("/chat", json=body(text, **more))
    assert response.status_code == 200, response.text
    reply = response.json()
    content = reply["choices"][0]["message"]["content"]
    return Heard([content], conversation_id=reply["conversation_id"], turn_id=reply["turn_id"], end=reply)


async def say_sse(server: Server, text: str, **more: Any) -> Heard:
    """Read the stream with the parser of the official client."""
    async with server.client() as client, client.stream("POST", "/chat/stream", json=body(text, **more)) as response:
        assert response.status_code == 200, await response.aread()
        chunks = [chunk async for chunk in openai_chunks(response)]
    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    first, last = (chunk.model_dump() for chunk in (chunks[0], chunks[-1]))
    return Heard(pieces, conversation_id=first["conversation_id"], turn_id=first["turn_id"], end=last)


def openai_chunks(response: Any) -> AsyncStream[ChatCompletionChunk]:
    from openai import AsyncOpenAI  # noqa: PLC0415  slow to import, and used here only

    client = AsyncOpenAI(api_key="none", base_url="http://127.0.0.1")
    return AsyncStream(cast_to=ChatCompletionChunk, response=response, client=client)


@asynccontextmanager
async def socket(server: Server) -> AsyncGenerator[ClientConnection]:
    """Open a WebSocket."""
    async with connect(server.ws_url) as opened:
        yield opened


async def tell(opened: ClientConnection, **message: Any) -> None:
    """Send a message."""
    await opened.send(json.dumps(message))


async def hear(opened: ClientConnection) -> dict[str, Any]:
    """Receive a message."""
    async with asyncio.timeout(PATIENCE_S):
        return json.loads(await opened.recv())  # type: ignore[no-any-return]


async def say_ws(server: Server, text: str, **more: Any) -> Heard:
    async with socket(server) as opened:
        return await say_over(opened, text, **more)


async def say_over(opened: ClientConnection, text: str, **more: Any) -> Heard:
    """Say something over a socket that is open, and wait for the whole reply."""
    ids = {name: more.pop(name) for name in FRAME_FIELDS if name in more}
    await tell(opened, type="message", message=text, options=more, **ids)
    pieces = []
    started: dict[str, Any] = {}
    while True:
        said = await hear(opened)
        if said["type"] == "turn_started":
            started = said
        elif said["type"] == "delta":
            pieces.append(said["content"])
        elif said["type"] == "message":
            ids = {name: started[name] for name in ("conversation_id", "turn_id")}
            return Heard(pieces, **ids, end=said)
        else:
            assert said["type"] == "conversation_started", said


TRANSPORTS = {"rest": say_rest, "sse": say_sse, "ws": say_ws}


async def say(transport: str, server: Server, text: str, **more: Any) -> Heard:
    """Say something and wait for the whole reply; ``transport`` is one of ``TRANSPORTS``."""
    async with asyncio.timeout(PATIENCE_S):
        return await TRANSPORTS[transport](server, text, **more)
