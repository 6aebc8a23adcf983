"""One answer of a server, being read."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

import aiohttp
from aiohttp.http import HttpProcessingError

from idolchat_core.llm import Delta, Finished
from idolchat_llm_openrouter.faults import Faults
from idolchat_llm_openrouter.sse import EventTooLong, SSEParser
from idolchat_llm_openrouter.watchdog import End, Limits, Watchdog
from idolchat_llm_openrouter.wire import Assembler

__all__ = ["CONNECTION_ERRORS", "Piece", "Reply", "StreamedReply", "TooBig", "WholeReply", "drop", "read_body"]

type Piece = Delta | Finished

CONNECTION_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, EOFError)

AFTER_FINISH_S = 3.0
"""How long to wait for the counts, once a reply is finished."""

AFTER_END_S = 0.1
"""How long to wait for the end of the HTTP message, to use its connection again: about what a new one costs."""


class TooBig(Exception):
    """A body goes on beyond what is read."""


class Reply(ABC):
    """Gives its pieces, and closes its connection unless that can be used again."""

    def __init__(self, response: aiohttp.ClientResponse, faults: Faults, *, max_bytes: int) -> None:
        self._response = response
        self._faults = faults
        self._max_bytes = max_bytes
        self._assembler = Assembler(faults)
        self._has_ended = False

    @abstractmethod
    async def read(self) -> list[Piece]:
        """Wait for the next pieces; none after the end. Raises ``Fault`` after what came before it is given."""

    async def close(self) -> None:
        """Free the connection; at once, if the reply has not ended."""
        drop(self._response)

    def _end(self) -> list[Piece]:
        if self._assembler.failure:
            raise self._assembler.failure
        if self._assembler.finish_reason is None:
            raise self._faults.cut()
        self._has_ended = True
        return [self._assembler.finished]


class WholeReply(Reply):
    """A reply that comes as one JSON object."""

    def __init__(self, response: aiohttp.ClientResponse, faults: Faults, *, max_bytes: int, end: End) -> None:
        super().__init__(response, faults, max_bytes=max_bytes)
        self._deadline, self._too_slow = end

    async def read(self) -> list[Piece]:
        if self._has_ended:
            return []
        if not self._assembler.is_done:
            deltas = self._assembler.take_completion(await self._body())
            if deltas:
                return [*deltas]
        return self._end()

    async def _body(self) -> bytes:
        try:
            async with asyncio.timeout_at(self._deadline):
                body = await read_body(self._response, self._max_bytes)
        except TimeoutError as error:
            raise self._too_slow from error
        except TooBig:
            raise self._faults.too_big(self._max_bytes, "a reply") from None
        except CONNECTION_ERRORS as error:
            # The model has answered, and the answer is billed.
            raise self._faults.cut(retryable=False) from error
        if not body:
            raise self._faults.cut()
        return body


class StreamedReply(Reply):
    """A reply that comes as server-sent events."""

    def __init__(self, response: aiohttp.ClientResponse, faults: Faults, *, max_bytes: int, limits: Limits) -> None:
        super().__init__(response, faults, max_bytes=max_bytes)
        self._content = response.content
        self._parser = SSEParser()
        self._watchdog = Watchdog(limits, faults, self._stop_reading)
        self._received = 0
        self._rest_by: float | None = None

    async def read(self) -> list[Piece]:
        if self._has_ended:
            return []
        assembler = self._assembler
        while not (assembler.is_done or assembler.failure):
            data = await (self._receive() if assembler.finish_reason is None else self._receive_rest())
            if not data:
                break
            pieces: list[Piece] = [*assembler.take_chunks(self._events(data))]
            if pieces:
                self._watchdog.spoke()
                return pieces
        return self._end()

    async def close(self) -> None:
        self._watchdog.stop()
        try:
            if self._has_ended:
                await self._drain()
        finally:
            await super().close()

    async def _receive(self) -> bytes:
        self._watchdog.waiting()
        try:
            data = await self._content.readany()
        except CONNECTION_ERRORS as error:
            raise self._watchdog.fault or self._faults.cut() from error
        self._received += len(data)
        if self._received > self._max_bytes:
            raise self._faults.too_big(self._max_bytes, "a reply")
        return data

    async def _receive_rest(self) -> bytes:
        """Wait for what follows the finish; a reply that is finished stays good if nothing does."""
        if self._rest_by is None:
            self._rest_by = asyncio.get_running_loop().time() + AFTER_FINISH_S
        with suppress(TimeoutError, *CONNECTION_ERRORS):
            async with asyncio.timeout_at(self._rest_by):
                return await self._content.readany()
        return b""

    async def _drain(self) -> None:
        with suppress(TimeoutError, *CONNECTION_ERRORS):
            async with asyncio.timeout(AFTER_END_S):
                while not self._content.at_eof():
                    await self._content.readany()

    def _events(self, data: bytes) -> list[bytes]:
        try:
            return self._parser.feed(data)
        except EventTooLong:
            raise self._faults.too_big(self._parser.max_event_bytes, "an event") from None

    def _stop_reading(self) -> None:
        self._content.set_exception(TimeoutError())


async def read_body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Read a body. Raises ``TooBig``, having read no more than was allowed and one piece."""
    pieces, size = [], 0
    while piece := await response.content.readany():
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise TooBig
    return b"".join(pieces)


def drop(response: aiohttp.ClientResponse) -> None:
    """Close the connection, unless the whole answer was read and it is back in the pool.

    A reset, rather than a polite end of the TLS session, is what makes a server stop at once.
    """
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()
