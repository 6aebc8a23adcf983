"""The turns of a server that runs on the same data, over HTTP."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from pydantic import TypeAdapter

from idolchat_core.errors import ConversationNotFound, IdolchatError
from idolchat_core.events.events import Event, TurnEnded, TurnStatus
from idolchat_core.llm.contract import Delta
from idolchat_core.models import Conversation, Message, StoredId, utc_now
from idolchat_core.storage.server_address import ServerAddress
from idolchat_core.turns.request import TurnOptions, TurnRequest

__all__ = ["RemoteTurn", "RemoteTurns", "ServerGone"]

CONNECT_S = 5.0
SILENCE_S = 120.0
"""The server sends a comment every few seconds while a reply is silent."""
_STATUS = TypeAdapter(TurnStatus)


class ServerGone(IdolchatError):
    """The server ended, or does not answer."""


class RemoteTurns:
    """Starts, retries and cancels turns of a server; each call has a connection of its own."""

    def __init__(self, server: ServerAddress) -> None:
        self._server = server

    async def start(self, request: TurnRequest) -> RemoteTurn:
        """Begin a turn. Raises ``IdolchatError`` with what the server says, ``ServerGone``."""
        body = request.model_dump(mode="json", exclude_unset=True) | {"stream": True}
        return await self._begun("/chat/stream", body)

    async def retry(self, turn_id: UUID) -> RemoteTurn:
        """Answer a turn's message once more. Raises as ``start``."""
        return await self._begun(f"/turns/{turn_id}/retry", {"stream": True})

    async def regenerate(self, conversation_id: UUID, options: TurnOptions) -> RemoteTurn:
        """Answer the last message once more. Raises as ``start``."""
        body = options.model_dump(mode="json", exclude_unset=True) | {"stream": True}
        return await self._begun(f"/conversation/{conversation_id}/regenerate", body)

    async def edit(self, message_id: StoredId, request: TurnRequest) -> RemoteTurn:
        """Put another message where one is, on a branch of its own, and answer it. Raises as ``start``."""
        body = request.model_dump(mode="json", exclude_unset=True) | {"stream": True}
        path = f"/conversation/{request.conversation_id}/messages/{quote(str(message_id), safe='')}/edit"
        return await self._begun(path, body)

    async def cancel(self, turn_id: UUID) -> TurnStatus:
        """Stop a turn. Raises as ``start``."""
        return _STATUS.validate_python(await asyncio.to_thread(self._ask, "POST", f"/turns/{turn_id}/cancel"))

    async def status(self, turn_id: UUID) -> TurnStatus:
        """Read how a turn stands. Raises as ``start``."""
        return _STATUS.validate_python(await asyncio.to_thread(self._ask, "GET", f"/turns/{turn_id}"))

    async def last_messages(self, conversation_id: UUID, *, limit: int) -> Sequence[Message]:
        """Read the end of a conversation, oldest first. Raises as ``start``."""
        page = await asyncio.to_thread(self._ask, "GET", f"/conversation/{conversation_id}?limit={limit}")
        return Conversation.model_validate(page).messages

    async def begin(self, character: str, user_id: UUID | None) -> Conversation:
        """Begin a conversation with a character. Raises as ``start``."""
        body = {"character_id": character, **({} if user_id is None else {"user_id": str(user_id)})}
        return Conversation.model_validate(await asyncio.to_thread(self._ask, "POST", "/conversations", body))

    async def choose_head(self, conversation_id: UUID, message_id: StoredId) -> None:
        """Choose the message that the conversation continues from. Raises as ``start``."""
        await asyncio.to_thread(self._ask, "PATCH", f"/conversation/{conversation_id}", {"head": str(message_id)})

    async def _begun(self, path: str, body: Mapping[str, Any]) -> RemoteTurn:
        connection, response = await asyncio.to_thread(self._open, "POST", path, body)
        turn = RemoteTurn(self, connection, response)
        await turn.begun()
        return turn

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        connection, response = self._open(method, path, body)
        try:
            with _reached():
                return json.loads(response.read() or b"null")
        finally:
            connection.close()

    def _open(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        address = urlsplit(self._server.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=CONNECT_S)
        headers = {"Authorization": f"Bearer {self._server.token}", "Content-Type": "application/json"}
        with _reached():
            connection.connect()
            connection.sock.settimeout(SILENCE_S)
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            if response.status >= http.client.BAD_REQUEST:
                told = response.read()
                connection.close()
                raise _refusal(told)
        return connection, response


class RemoteTurn:
    """One turn, followed by its server-sent events."""

    def __init__(
        self, turns: RemoteTurns, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self._turns = turns
        self._connection = connection
        self._response = response
        self._first: Mapping[str, Any] = {}
        self.conversation_id = self.turn_id = UUID(int=0)
        self.user_message_id: StoredId = ""

    async def begun(self) -> None:
        """Wait until the server has told the ids. Raises ``ServerGone``."""
        first = await asyncio.to_thread(self._next)
        if first is None:
            raise ServerGone("the server closed the reply before it began")
        self._first = first
        self.conversation_id, self.turn_id = UUID(first["conversation_id"]), UUID(first["turn_id"])
        self.user_message_id = first["user_message_id"]

    async def follow(self) -> AsyncGenerator[tuple[int, Sequence[Event]]]:
        """Yield what is said, and how it ended at last. Raises ``ServerGone``."""
        chunk: Mapping[str, Any] | None = self._first
        number, finish_reason = 0, None
        try:
            while chunk is not None:
                for choice in chunk.get("choices", ()):
                    finish_reason = choice.get("finish_reason") or finish_reason
                    if piece := choice.get("delta", {}).get("content"):
                        yield number, (Delta(piece),)
                        number += 1
                chunk = await asyncio.to_thread(self._next)
        finally:
            self._connection.close()
        yield number, (_ended(await self._turns.status(self.turn_id), finish_reason),)

    def _next(self) -> Mapping[str, Any] | None:
        with _reached():
            while line := self._response.readline():
                data = line.removeprefix(b"data: ").strip()
                if not line.startswith(b"data: "):
                    continue
                if data == b"[DONE]":
                    return None
                chunk: Mapping[str, Any] = json.loads(data)
                return chunk
        return None


def _ended(status: TurnStatus, finish_reason: str | None) -> TurnEnded:
    reply = None
    if status.content:
        reply = Message(
            id=status.message_id or status.turn_id,
            role="assistant",
            content=status.content,
            timestamp=utc_now(),
            finish_reason=finish_reason,
        )
    return TurnEnded(state=status.state, message=reply, usage=status.usage, error=status.error)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise ServerGone(f"the server on this data does not answer ({error}); it may have been stopped") from error


def _refusal(told: bytes) -> IdolchatError:
    try:
        error = json.loads(told)["error"]
        kind = ConversationNotFound if error["code"] == ConversationNotFound.code else IdolchatError
        return kind(error["message"])
    except (ValueError, KeyError, TypeError):
        return IdolchatError("the server refused without saying why; its log may tell")
