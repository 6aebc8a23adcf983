"""One answer of a server, being read."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from idolchat_core import Delta, Finished, OnDeltas
from idolchat_llm_openrouter.chunk_decoder import ChunkDecoder
from idolchat_llm_openrouter.delta_reader import DeltaReader
from idolchat_llm_openrouter.errors import ErrorMapper
from idolchat_llm_openrouter.sse import MAX_EVENT_BYTES, EventTooLong
from idolchat_llm_openrouter.timeouts import AttemptTimer
from idolchat_llm_openrouter.transport import Response, TransportError

__all__ = ["BodyTooLarge", "CompletionReader", "StreamedCompletion", "WholeCompletion", "read_body"]

EVENT_STARTS = (b"data:", b"event:", b"error:", b":")

QUIET_S = 3.0
"""So long nothing has to come behind a finish for the reply to be over: the counts come within it."""

QUIET_BEFORE_TEXT_S = 10.0
"""The same where the finish came too early: before any text, or with text behind it."""

AFTER_END_S = 0.1
"""How long to wait for the end of the HTTP message, to use its connection again: about what a new one costs."""


class BodyTooLarge(Exception):
    """A body is longer than what is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRules:
    """What the settings say about reading a reply: see ``ChunkDecoder``; ``max_bytes`` on the wire."""

    max_bytes: int
    done_is_finish: bool
    think_as_reasoning: bool


class CompletionReader(ABC):
    """Reads the deltas and the end of a reply, and closes its connection unless that can be used again."""

    def __init__(self, response: Response, errors: ErrorMapper, timer: AttemptTimer, rules: ReplyRules) -> None:
        self._response = response
        self._errors = errors
        self._timer = timer
        self._max_bytes = rules.max_bytes
        self._decoder = ChunkDecoder(
            errors, done_is_finish=rules.done_is_finish, think_as_reasoning=rules.think_as_reasoning
        )
        self._has_ended = False

    @abstractmethod
    async def read(self) -> list[Delta]:
        """Wait for the next deltas; none at the end. Raises ``CallFailed`` after what came before it is returned."""

    async def deliver(self, deltas: list[Delta], on_deltas: OnDeltas) -> None:
        """Call ``on_deltas`` with the deltas that were read first, and with all that follow. Raises ``CallFailed``."""
        while deltas:
            on_deltas(deltas)
            deltas = await self.read()

    @property
    def finished(self) -> Finished:
        """The end, once there are no more deltas."""
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
            deltas = self._decoded(await self._body())
            if deltas:
                return deltas
        return self._end()

    def _decoded(self, body: bytes) -> list[Delta]:
        if body.lstrip().startswith(EVENT_STARTS):  # a stream under another media type
            reader = DeltaReader(self._decoder)
            deltas = reader.deltas((body,)) + reader.end()
            self._decoder.is_done = True
            return deltas
        return self._decoder.decode_completion(body) + self._decoder.end(b"")

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

    def __init__(self, response: Response, errors: ErrorMapper, timer: AttemptTimer, rules: ReplyRules) -> None:
        super().__init__(response, errors, timer, rules)
        self._reader = DeltaReader(self._decoder)
        self._received_bytes = 0
        self._is_read = False
        self._quiet_since: float | None = None

    async def read(self) -> list[Delta]:
        if self._has_ended:
            return []
        decoder = self._decoder
        while not (self._is_read or decoder.is_done or decoder.failure):
            data = await (self._receive() if decoder.finish_reason is None else self._receive_rest())
            deltas = self._deltas((data,)) if data else []
            if deltas:
                self._timer.token_received()
                self._quiet_since = None
                return deltas
            if not data:
                break
        return self._last_deltas() or self._end()

    def _last_deltas(self) -> list[Delta]:
        if self._is_read:
            return []
        self._is_read = True
        return self._reader.end()

    async def deliver(self, deltas: list[Delta], on_deltas: OnDeltas) -> None:
        if deltas:
            on_deltas(deltas)
            if self._goes_on:
                await self._deliver_as_they_come(on_deltas)
            await super().deliver(await self.read(), on_deltas)

    @property
    def _goes_on(self) -> bool:
        """Whether nothing has to be done with the next parts but to pass their deltas on."""
        return self._decoder.finish_reason is None and not (self._decoder.is_done or self._decoder.failure)

    async def _deliver_as_they_come(self, on_deltas: OnDeltas) -> None:
        """Pass deltas on in the callback that reads them, so that the waiting task is not woken for each."""
        decoder = self._decoder

        def take(pieces: list[bytes]) -> bool:
            deltas = self._deltas(pieces)
            if deltas:
                on_deltas(deltas)
                self._timer.token_received_and_waiting()
            else:
                self._timer.waiting()
            return decoder.finish_reason is None and not (decoder.is_done or decoder.failure)

        self._response.expect_stream()  # not before its first words, which nobody is to wait for
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
        self._received_bytes += sum(map(len, pieces))
        if self._received_bytes > self._max_bytes:
            raise self._errors.too_big(self._max_bytes, "a reply")
        try:
            return self._reader.deltas(pieces)
        except EventTooLong:
            raise self._errors.too_big(MAX_EVENT_BYTES, "an event") from None

    async def _receive_rest(self) -> bytes:
        """Wait for what follows a finish, until nothing has been said for a while; comments say nothing.

        A reply that is finished stays good if its connection breaks, unless text was coming.
        """
        decoder, now = self._decoder, asyncio.get_running_loop().time()
        if self._quiet_since is None:
            self._quiet_since = now
        is_early = decoder.said_after_finish or not decoder.has_said
        try:
            async with asyncio.timeout_at(self._quiet_since + (QUIET_BEFORE_TEXT_S if is_early else QUIET_S)):
                return await self._response.read()
        except TimeoutError:
            return b""
        except TransportError as error:
            if decoder.said_after_finish:
                raise self._timer.failure() or self._errors.cut() from error
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
