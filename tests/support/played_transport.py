"""A transport that plays a body from memory, in given pieces."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from idolchat_llm_openrouter.transport import Endpoint, OnPieces, OpenTransport


class PlayedResponse:
    def __init__(self, pieces: Sequence[bytes], media_type: str) -> None:
        self.status = 200
        self._pieces = [piece for piece in pieces if piece]
        self._media_type = media_type

    @property
    def is_over(self) -> bool:
        return not self._pieces

    def header(self, name: str) -> str | None:
        return self._media_type if name == "content-type" else None

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def deliver(self, on_pieces: OnPieces) -> None:
        while self._pieces and on_pieces([self._pieces.pop(0)]):
            pass

    def expect_stream(self) -> None:
        pass

    def interrupt(self, reason: str) -> None:
        self._pieces.clear()

    def abort(self) -> None:
        self._pieces.clear()


class PlayedTransport:
    def __init__(self, pieces: Sequence[bytes], media_type: str) -> None:
        self._pieces = pieces
        self._media_type = media_type

    async def post(self, path: str, body: bytes, *, traceparent: str | None = None) -> PlayedResponse:
        return PlayedResponse(self._pieces, self._media_type)

    async def get(self, path: str) -> PlayedResponse:
        return PlayedResponse(self._pieces, self._media_type)


def playing(pieces: Sequence[bytes], media_type: str = "text/event-stream") -> OpenTransport:
    @asynccontextmanager
    async def opened(endpoint: Endpoint) -> AsyncIterator[PlayedTransport]:
        yield PlayedTransport(pieces, media_type)

    return opened
