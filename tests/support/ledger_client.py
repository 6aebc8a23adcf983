"""Clients that write down what they are told, over every transport."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.support.ledger import Document, Ledger, Sent
from tests.support.server import Server

__all__ = [
    "LedgerClient",
    "Lost",
    "body_of",
    "headers_of",
    "ledger_client",
    "message_frame",
    "path_of",
    "refused",
    "take_chunk",
    "take_frame",
]

PATIENCE_S = 60
RETRYABLE = frozenset({"interrupted", "failed", "incomplete"})


class Lost(Exception):
    """The server has gone while it was asked for something."""


@asynccontextmanager
async def ledger_client(server: Server, ledger: Ledger) -> AsyncGenerator[LedgerClient]:
    """Open a client of a server that is running now."""
    # Without the certificates, whose loading takes longer than a test's requests.
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S, verify=False, trust_env=False) as http:  # noqa: S501
        yield LedgerClient(server.ws_url, http, ledger)


@asynccontextmanager
async def _losing() -> AsyncGenerator[None]:
    try:
        yield
    except httpx.TimeoutException:
        raise
    except (httpx.TransportError, OSError, EOFError, WebSocketException) as error:
        raise Lost from error


class LedgerClient:
    """Sends, and enters in the ledger what was acknowledged. Raises ``Lost`` when the server goes."""

    def __init__(self, ws_url: str, http: httpx.AsyncClient, ledger: Ledger) -> None:
        self.ledger = ledger
        self.http = http
        self._ws_url = ws_url

    async def say(self, way: str, text: str, **more: Any) -> Sent:
        """Send a message by ``rest``, ``sse`` or ``ws``, and wait for the end of its turn."""
        return await self.send(Sent(way=way, text=text, **more))

    async def send(self, one: Sent) -> Sent:
        """Send what is prepared, or once more what was sent before."""
        if one not in self.ledger.sent:
            self.ledger.sent.append(one)
        async with _losing():
            if one.way == "ws":
                await self._by_socket(one)
            elif one.way == "sse":
                await self._by_stream(one)
            else:
                await self._whole(one)
        assert one.message_id or one.failure, f"the turn of {one.text!r} has no end"
        return one

    async def regenerate(self, conversation_id: str, of: Sent) -> Sent:
        """Ask for another reply to the last message."""
        return await self.send(
            Sent(way="sse", text=of.text, conversation_id=conversation_id, model=of.model, is_new=False)
        )

    async def retry(self, one: Sent) -> None:
        """Try an unfinished turn again by its id, or send it again where it has been completed meanwhile."""
        async with _losing():
            response = await self.http.post(f"/turns/{one.turn_id}/retry", json={"model": "mock/echo"})
        if response.status_code == 200:
            _completed(one, response.json())
        elif await self.state(one) == "completed":  # stored, and the server was killed before it told
            await (self.send(one) if one.is_new else self._look(one))
        else:
            refused(one, response)

    async def choose(self, conversation_id: str, head: str) -> None:
        """Choose a branch."""
        before = self.ledger.heads.pop(conversation_id, None)
        async with _losing():
            response = await self.http.patch(f"/conversation/{conversation_id}", json={"head": head})
        if response.status_code == 204:
            self.ledger.heads[conversation_id] = head
        elif before is not None:
            self.ledger.heads[conversation_id] = before

    async def fork(self, conversation_id: str) -> str | None:
        """Fork a conversation."""
        async with _losing():
            response = await self.http.post(f"/conversation/{conversation_id}/fork")
        if response.status_code != 201:
            return None
        document = response.json()
        self.ledger.forks[document["id"]] = [message["content"] for message in document["messages"]]
        return str(document["id"])

    async def delete(self, conversation_id: str) -> int:
        """Delete a conversation; give the status."""
        self.ledger.deleted.setdefault(conversation_id, False)
        async with _losing():
            response = await self.http.delete(f"/conversation/{conversation_id}")
        if response.status_code in (204, 404):
            self.ledger.deleted[conversation_id] = True
        self.ledger.tell()
        return response.status_code

    async def document(self, conversation_id: str) -> Document:
        """Read a conversation that must be there."""
        async with _losing():
            response = await self.http.get(f"/conversation/{conversation_id}")
        assert response.status_code == 200, f"{conversation_id}: {response.status_code} {response.text}"
        document: Document = response.json()
        return document

    async def _look(self, one: Sent) -> None:
        """Learn from its turn how another reply ended, which has no key to be sent again by."""
        told = (await self.http.get(f"/turns/{one.turn_id}")).json()
        one.end(told["message_id"], told["content"])

    async def state(self, one: Sent) -> str:
        """Return how a turn stands that was acknowledged."""
        async with _losing():
            response = await self.http.get(f"/turns/{one.turn_id}")
        assert response.status_code == 200, f"turn of {one.text!r}: {response.status_code} {response.text}"
        state: str = response.json()["state"]
        return state

    async def _whole(self, one: Sent) -> None:
        response = await self.http.post(path_of(one, "/chat"), json=body_of(one), headers=headers_of(one))
        if response.status_code == 200:
            _completed(one, response.json())
        else:
            refused(one, response)
        self.ledger.tell()

    async def _by_stream(self, one: Sent) -> None:
        path = path_of(one, "/chat/stream")
        async with self.http.stream(
            "POST", path, json=body_of(one) | {"stream": True}, headers=headers_of(one)
        ) as response:
            if response.status_code != 200:
                await response.aread()
                refused(one, response)
                return
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    take_chunk(one, json.loads(line.removeprefix("data: ")))
                    self.ledger.tell()

    async def _by_socket(self, one: Sent) -> None:
        async with connect(self._ws_url, compression=None, proxy=None) as socket:
            await socket.send(json.dumps(message_frame(one)))
            while not take_frame(one, json.loads(await socket.recv())):
                self.ledger.tell()
            self.ledger.tell()


def path_of(one: Sent, otherwise: str) -> str:
    if one.instead_of is not None:
        return f"/conversation/{one.conversation_id}/messages/{one.instead_of}/edit"
    return otherwise if one.is_new else f"/conversation/{one.conversation_id}/regenerate"


def body_of(one: Sent) -> dict[str, Any]:
    if not one.is_new:
        return {"model": one.model}
    given = {"messages": [{"role": "user", "content": one.text}], "model": one.model}
    return given | ({"conversation_id": one.conversation_id} if one.conversation_id else {})


def message_frame(one: Sent) -> dict[str, Any]:
    about = {"conversation_id": one.conversation_id, "client_message_id": one.key, "model": one.model}
    return {"type": "message", "message": one.text, **about}


def headers_of(one: Sent) -> dict[str, str]:
    return {"Idempotency-Key": f'"{one.key}"'} if one.is_new else {}


def _completed(one: Sent, told: Mapping[str, Any]) -> None:
    one.begin(told)
    one.end(told["message_id"], told["choices"][0]["message"]["content"])


def refused(one: Sent, response: httpx.Response) -> None:
    error = response.json()["error"]
    one.fail(error["code"], response.status_code)
    if "turn_id" in error:
        one.turn_id, one.conversation_id = error["turn_id"], error["conversation_id"]


def take_chunk(one: Sent, chunk: Mapping[str, Any]) -> None:
    if "user_message_id" in chunk:
        one.begin(chunk)
    elif "error" in chunk:
        one.fail(chunk["error"]["code"])
    elif chunk["choices"][0]["finish_reason"] is not None:
        one.end_of_pieces(chunk["message_id"])
    else:
        one.hear(chunk["choices"][0]["delta"].get("content", ""))


def take_frame(one: Sent, frame: Mapping[str, Any]) -> bool:
    """Take note of what a socket says; true at the end."""
    match frame["type"]:
        case "turn_started":
            one.begin(frame)
        case "delta":
            one.hear(frame["content"])
        case "message":
            one.end(frame["message"]["id"], frame["message"]["content"])
        case "error":
            one.fail(frame["code"])
        case _:
            return False
    return frame["type"] in ("message", "error")
