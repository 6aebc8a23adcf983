"""The contract of the HTTP client: the provider asks through these and knows no client by name.

``http`` is the implementation that is used; ``open_openrouter`` takes another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "Disconnected",
    "Endpoint",
    "OnPieces",
    "OpenTransport",
    "Response",
    "Transport",
    "TransportError",
    "content_coding",
    "media_type",
]

type OnPieces = Callable[[list[bytes]], bool]
"""Is called with pieces of a body; returns whether it wants more."""


class TransportError(Exception):
    """There is no connection, or nothing usable came over it; the text says why and may be shown to anybody."""


class Disconnected(TransportError):
    """The connection was closed before a response began: mostly a kept one, while the request was on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The server that is asked. ``headers`` go with every request; ``base_url`` has no slash at its end."""

    base_url: str
    headers: Mapping[str, str]
    connect_timeout_s: float


class Response(Protocol):
    """A response whose head has come. Its body is read as it was sent: nothing is decompressed."""

    @property
    def status(self) -> int:
        """The status code, 200 to 599."""

    @property
    def is_over(self) -> bool:
        """Whether the whole body has come, read or not."""

    def header(self, name: str) -> str | None:
        """Look up a header by its name in lower case."""

    async def read(self) -> bytes:
        """Wait for the next part of the body; empty at its end. Raises ``TransportError``.

        What came before a connection broke is returned before the error is raised.
        """

    async def deliver(self, on_pieces: OnPieces) -> None:
        """Call ``on_pieces`` with parts of the body as they come, until it returns false or the body ends.

        Raises ``TransportError``, and what ``on_pieces`` raises.
        """

    def expect_stream(self) -> None:
        """Announce a long stream of small parts; a client may read many such streams less often."""

    def interrupt(self, reason: str) -> None:
        """End the response unless it is over: the reader gets what came, then ``TransportError(reason)``."""

    def abort(self) -> None:
        """Abandon the response. Unless it is over, its connection is closed at once, so that the server stops."""


class Transport(Protocol):
    """Sends requests to one endpoint over connections that are kept, with no limit to how many are in use.

    Redirects are not followed. Cancelling a call closes its connection at once.
    """

    async def post(self, path: str, body: bytes, *, traceparent: str | None = None) -> Response:
        """Post JSON and wait for the head of the response.

        Raises ``TransportError``, also when connecting takes longer than the endpoint's limit.
        """

    async def get(self, path: str) -> Response:
        """Ask for a path, which may have a query, and wait for the head of the response. Raises ``TransportError``."""


type OpenTransport = Callable[[Endpoint], AbstractAsyncContextManager[Transport]]
"""Opens a transport; leaving the context closes its connections."""


def media_type(response: Response) -> str:
    """Return the media type without parameters, in lower case; empty where the server names none."""
    return (response.header("content-type") or "").partition(";")[0].strip().lower()


def content_coding(response: Response) -> str:
    """Return the name of the compression of the body; empty where there is none."""
    coding = (response.header("content-encoding") or "").strip().lower()
    return "" if coding == "identity" else coding
