"""One answer of a server, being read."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress

from idolchat_core.llm.contract import Delta, Finished, Hear
from idolchat_llm_openrouter.chunk_decoder import ChunkDecoder
from idolchat_llm_openrouter.delta_reader import DeltaReader
from idolchat_llm_openrouter.errors import ErrorMapper
from idolchat_llm_openrouter.sse import MAX_EVENT_BYTES, EventTooLong
from idolchat_llm_openrouter.timeouts import AttemptTimer
from idolchat_llm_openrouter.transport import Response, TransportError

__all__ = ["BodyTooLarge", "CompletionReader", "StreamedCompletion", "WholeCompletion", "read_body"]

AFTER_FINISH_S = 3.0
"""How long to wait for the counts, once a reply is finished."""

AFTER_END_S = 0.1
"""How long to wait for the end of the HTTP message, to use its connection again: about what a new one costs."""


class BodyTooLarge(Exception):
    """A body goes on beyond what is read."""


class CompletionReader(ABC):
    """Gives its deltas and its end, and closes its connection unless that can be used again."""

    def __init__(self, response: Response, errors: ErrorMapper, timer: AttemptTimer, *, max_bytes: int) -> None:
        self._response = response
        self._errors = errors
        self._timer = timer
        self._max_bytes = max_bytes
        self._decoder = ChunkDecoder(errors)
        self._has_ended = False

    @abstractmethod
    async def read(self) -> list[Delta]:
        """Wait for the next deltas; none at the end. Raises ``CallFailed`` after what came before it is given."""

    async def tell(self, deltas: list[Delta], hear: Hear) -> None:
        """Tell of those that were read first, and of all that follow. Raises ``CallFailed``."""
        while deltas:
            hear(deltas)
            deltas = await self.read()

    @property
    def finished(self) -> Finished:
        """Give the end, once there are no more deltas."""
        return self._decoder.finished

    async def close(self) -> None:
        """Free the connection; at once, if the reply has not ended."""
        self._timer.stop()
        self._response.abort()

    def _end(self) -> list[Delta]:
        if self._decoder.failure:
            try:
                raise self._decoder.failure
            finally:  # once raised it refers to this frame, and so to the decoder
                self._decoder.failure = None
        if self._decoder.finish_reason is None:
            raise self._errors.cut()
        self._has_ended = True
        return []


class WholeCompletion(CompletionReader):
    """A reply that comes as one JSON object."""

    async def read(self) -> list[Delta]:
        if self._has_ended:
            return []
        if not self._decoder.is_done:
            deltas = self._decoder.decode_completion(await self._body())
            if deltas:
                return deltas
        return self._end()

    async def _body(self) -> bytes:
        try:
            body = await read_body(self._response, self._max_bytes)
        except BodyTooLarge:
            raise self._errors.too_big(self._max_bytes, "a reply") from None
        except TransportError as error:
            # The model has answered, and the answer is billed.
            raise self._timer.failure() or self._errors.cut(retryable=False) from error
        if not body:
            raise self._errors.cut()
        return body


class StreamedCompletion(CompletionReader):
    """A reply that comes as server-sent events."""

    def __init__(self, response: Response, errors: ErrorMapper, timer: AttemptTimer, *, max_bytes: int) -> None:
        super().__init__(response, errors, timer, max_bytes=max_bytes)
        self._reader = DeltaReader(self._decoder)
        response.expect_stream()
        self._received = 0
        self._rest_by: float | None = None

    async def read(self) -> list[Delta]:
        if self._has_ended:
            return []
        decoder = self._decoder
        while not (decoder.is_done or decoder.failure):
            data = await (self._receive() if decoder.finish_reason is None else self._receive_rest())
            if not data:
                break
            deltas = self._deltas((data,))
            if deltas:
                self._timer.token_received()
                return deltas
        return self._end()

    async def tell(self, deltas: list[Delta], hear: Hear) -> None:
        if deltas:
            hear(deltas)
            await self._tell_as_they_come(hear)
            await super().tell(await self.read(), hear)

    async def _tell_as_they_come(self, hear: Hear) -> None:
        """Spare the task that waits being woken for each, up to where something else is to be done than to tell."""
        decoder = self._decoder

        def take(pieces: list[bytes]) -> bool:
            deltas = self._deltas(pieces)
            if deltas:
                hear(deltas)
                self._timer.token_received_and_waiting()
            else:
                self._timer.waiting()
            return decoder.finish_reason is None and not (decoder.is_done or decoder.failure)

        self._timer.waiting()
        try:
            await self._response.deliver(take)
        except TransportError as error:
            raise self._timer.failure() or self._errors.cut() from error

    async def close(self) -> None:
        self._timer.stop()
        if self._has_ended and not self._response.is_over:
            await self._drain()
        self._response.abort()

    async def _receive(self) -> bytes:
        self._timer.waiting()
        try:
            return await self._response.read()
        except TransportError as error:
            raise self._timer.failure() or self._errors.cut() from error

    def _deltas(self, pieces: Sequence[bytes]) -> list[Delta]:
        if self._decoder.finish_reason is None:
            for piece in pieces:
                self._received += len(piece)
            if self._received > self._max_bytes:
                raise self._errors.too_big(self._max_bytes, "a reply")
        try:
            return self._reader.deltas(pieces)
        except EventTooLong:
            raise self._errors.too_big(MAX_EVENT_BYTES, "an event") from None

    async def _receive_rest(self) -> bytes:
        """Wait for what follows the finish; a reply that is finished stays good if nothing does."""
        if self._rest_by is None:
            self._rest_by = asyncio.get_running_loop().time() + AFTER_FINISH_S
        with suppress(TimeoutError, TransportError):
            async with asyncio.timeout_at(self._rest_by):
                return await self._response.read()
        return b""

    async def _drain(self) -> None:
        with suppress(TimeoutError, TransportError):
            async with asyncio.timeout(AFTER_END_S):
                while await self._response.read():
                    pass


async def read_body(response: Response, max_bytes: int) -> bytes:
    """Read a body. Raises ``BodyTooLarge``, having read no more than was allowed and one piece."""
    pieces, size = [], 0
    while piece := await response.read():
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise BodyTooLarge
    return b"".join(pieces)
