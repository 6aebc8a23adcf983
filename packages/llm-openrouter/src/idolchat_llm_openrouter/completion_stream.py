"""One answer of a server, being read."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress

from idolchat_core.llm.contract import Delta, Finished, OnDeltas
from idolchat_llm_openrouter.chunk_decoder import Assembler
from idolchat_llm_openrouter.delta_reader import DeltaReader
from idolchat_llm_openrouter.errors import Faults
from idolchat_llm_openrouter.http import HTTPError, Pace, Response
from idolchat_llm_openrouter.sse import MAX_EVENT_BYTES, EventTooLong
from idolchat_llm_openrouter.timeouts import Watchdog

__all__ = ["Reply", "StreamedReply", "TooBig", "WholeReply", "read_body"]

AFTER_FINISH_S = 3.0
"""How long to wait for the counts, once a reply is finished."""

AFTER_END_S = 0.1
"""How long to wait for the end of the HTTP message, to use its connection again: about what a new one costs."""


class TooBig(Exception):
    """A body goes on beyond what is read."""


class Reply(ABC):
    """Gives its deltas and its end, and closes its connection unless that can be used again."""

    def __init__(self, response: Response, faults: Faults, watchdog: Watchdog, *, max_bytes: int) -> None:
        self._response = response
        self._faults = faults
        self._watchdog = watchdog
        self._max_bytes = max_bytes
        self._assembler = Assembler(faults)
        self._has_ended = False

    @abstractmethod
    async def read(self) -> list[Delta]:
        """Wait for the next deltas; none at the end. Raises ``Fault`` after what came before it is given."""

    async def tell(self, deltas: list[Delta], hear: OnDeltas) -> None:
        """Tell of those that were read first, and of all that follow. Raises ``Fault``."""
        while deltas:
            hear(deltas)
            deltas = await self.read()

    @property
    def finished(self) -> Finished:
        """Give the end, once there are no more deltas."""
        return self._assembler.finished

    async def close(self) -> None:
        """Free the connection; at once, if the reply has not ended."""
        self._watchdog.stop()
        self._response.abort()

    def _end(self) -> list[Delta]:
        if self._assembler.failure:
            try:
                raise self._assembler.failure
            finally:  # once raised it refers to this frame, and so to the assembler
                self._assembler.failure = None
        if self._assembler.finish_reason is None:
            raise self._faults.cut()
        self._has_ended = True
        return []


class WholeReply(Reply):
    """A reply that comes as one JSON object."""

    async def read(self) -> list[Delta]:
        if self._has_ended:
            return []
        if not self._assembler.is_done:
            deltas = self._assembler.take_completion(await self._body())
            if deltas:
                return deltas
        return self._end()

    async def _body(self) -> bytes:
        try:
            body = await read_body(self._response, self._max_bytes)
        except TooBig:
            raise self._faults.too_big(self._max_bytes, "a reply") from None
        except HTTPError as error:
            # The model has answered, and the answer is billed.
            raise self._watchdog.fault() or self._faults.cut(retryable=False) from error
        if not body:
            raise self._faults.cut()
        return body


class StreamedReply(Reply):
    """A reply that comes as server-sent events."""

    def __init__(self, response: Response, faults: Faults, watchdog: Watchdog, *, max_bytes: int, pace: Pace) -> None:
        super().__init__(response, faults, watchdog, max_bytes=max_bytes)
        self._reader = DeltaReader(self._assembler)
        self._pace = pace
        self._is_open = True
        pace.streams += 1
        response.keep(pace)
        self._received = 0
        self._rest_by: float | None = None

    async def read(self) -> list[Delta]:
        if self._has_ended:
            return []
        assembler = self._assembler
        while not (assembler.is_done or assembler.failure):
            data = await (self._receive() if assembler.finish_reason is None else self._receive_rest())
            if not data:
                break
            deltas = self._deltas((data,))
            if deltas:
                self._watchdog.spoke()
                return deltas
        return self._end()

    async def tell(self, deltas: list[Delta], hear: OnDeltas) -> None:
        if deltas:
            hear(deltas)
            await self._tell_as_they_come(hear)
            await super().tell(await self.read(), hear)

    async def _tell_as_they_come(self, hear: OnDeltas) -> None:
        """Spare the task that waits being woken for each, up to where something else is to be done than to tell."""
        assembler = self._assembler

        def take(pieces: list[bytes]) -> bool:
            deltas = self._deltas(pieces)
            if deltas:
                hear(deltas)
                self._watchdog.spoke_on()
            else:
                self._watchdog.waiting()
            return assembler.finish_reason is None and not (assembler.is_done or assembler.failure)

        self._watchdog.waiting()
        try:
            await self._response.tell(take)
        except HTTPError as error:
            raise self._watchdog.fault() or self._faults.cut() from error

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._pace.streams -= 1
        self._watchdog.stop()
        if self._has_ended and not self._response.is_over:
            await self._drain()
        self._response.abort()

    async def _receive(self) -> bytes:
        self._watchdog.waiting()
        try:
            return await self._response.read()
        except HTTPError as error:
            raise self._watchdog.fault() or self._faults.cut() from error

    def _deltas(self, pieces: Sequence[bytes]) -> list[Delta]:
        if self._assembler.finish_reason is None:
            for piece in pieces:
                self._received += len(piece)
            if self._received > self._max_bytes:
                raise self._faults.too_big(self._max_bytes, "a reply")
        try:
            return self._reader.deltas(pieces)
        except EventTooLong:
            raise self._faults.too_big(MAX_EVENT_BYTES, "an event") from None

    async def _receive_rest(self) -> bytes:
        """Wait for what follows the finish; a reply that is finished stays good if nothing does."""
        if self._rest_by is None:
            self._rest_by = asyncio.get_running_loop().time() + AFTER_FINISH_S
        with suppress(TimeoutError, HTTPError):
            async with asyncio.timeout_at(self._rest_by):
                return await self._response.read()
        return b""

    async def _drain(self) -> None:
        with suppress(TimeoutError, HTTPError):
            async with asyncio.timeout(AFTER_END_S):
                while await self._response.read():
                    pass


async def read_body(response: Response, max_bytes: int) -> bytes:
    """Read a body. Raises ``TooBig``, having read no more than was allowed and one piece."""
    pieces, size = [], 0
    while piece := await response.read():
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise TooBig
    return b"".join(pieces)
