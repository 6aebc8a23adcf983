"""The requests to the server, with their errors translated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

import orjson

from idolchat_llm_openrouter.completion_stream import BodyTooLarge, read_body
from idolchat_llm_openrouter.errors import CallFailed, ErrorMapper
from idolchat_llm_openrouter.request_body import headers_of
from idolchat_llm_openrouter.settings import OpenRouterSettings
from idolchat_llm_openrouter.timeouts import AttemptTimer
from idolchat_llm_openrouter.transport import (
    Disconnected,
    Endpoint,
    OpenTransport,
    Response,
    Transport,
    TransportError,
    content_coding,
    media_type,
)

__all__ = ["Client", "open_client"]

COMPLETIONS = "/chat/completions"
MAX_ERROR_BYTES = 64 * 1024
MAX_LIST_BYTES = 32 * 1024 * 1024
ERROR_BODY_TIMEOUT_S = 5.0


class Client:
    """Sends requests; raises ``CallFailed``. Redirects are not followed: they would take the key along."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def post_completion(
        self, body: bytes, errors: ErrorMapper, timer: AttemptTimer, *, traceparent: str | None = None
    ) -> Response:
        """Ask for a completion and wait for the head of a good response, for as long as ``timer`` allows."""
        try:
            async with asyncio.timeout_at(timer.until):
                response = await self._transport.post(COMPLETIONS, body, traceparent=traceparent)
        except TimeoutError as error:
            raise timer.late() from error
        except TransportError as error:
            raise _connection_failure(error, errors) from error
        if 200 <= response.status < 300:
            timer.watch(response)
            return response
        try:
            raise await _read_refusal(response, errors)
        finally:
            response.abort()

    async def get(self, path: str, errors: ErrorMapper, *, timeout_s: float) -> Any:
        """Fetch JSON. Raises ``CallFailed``."""
        try:
            async with asyncio.timeout(timeout_s):
                response, body = await self._got(path)
        except TimeoutError as error:
            raise errors.unreachable(f"no answer within {timeout_s:g} s") from error
        except TransportError as error:
            raise _connection_failure(error, errors) from error
        except BodyTooLarge:
            raise errors.too_big(MAX_LIST_BYTES, "a list") from None
        if response.status == HTTPStatus.NOT_FOUND:
            raise errors.nothing_there()
        if response.status != HTTPStatus.OK:
            raise _refusal_of(response, body, errors)
        if coding := content_coding(response):
            raise errors.compressed(coding)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise errors.not_the_api(media_type(response)) from None

    async def _got(self, path: str) -> tuple[Response, bytes]:
        response = await self._transport.get(path)
        try:
            return response, await read_body(response, MAX_LIST_BYTES)
        finally:
            response.abort()


async def _read_refusal(response: Response, errors: ErrorMapper) -> CallFailed:
    body = b""
    with suppress(BodyTooLarge, TimeoutError, TransportError):  # the status tells enough
        async with asyncio.timeout(ERROR_BODY_TIMEOUT_S):
            body = await read_body(response, MAX_ERROR_BYTES)
    return _refusal_of(response, body, errors)


def _refusal_of(response: Response, body: bytes, errors: ErrorMapper) -> CallFailed:
    return errors.from_response(
        response.status,
        body,
        location=response.header("location"),
        retry_after=response.header("retry-after"),
    )


def _connection_failure(error: TransportError, errors: ErrorMapper) -> CallFailed:
    # A kept connection that the server closed while the request was on its way costs nothing to try again.
    return errors.unreachable(str(error), retry_after_s=0 if isinstance(error, Disconnected) else None)


@asynccontextmanager
async def open_client(settings: OpenRouterSettings, open_transport: OpenTransport) -> AsyncIterator[Client]:
    """Open the connections to the server that the settings name."""
    endpoint = Endpoint(
        base_url=settings.base_url, headers=headers_of(settings), connect_timeout_s=settings.connect_timeout_s
    )
    async with open_transport(endpoint) as transport:
        yield Client(transport)
