"""What is asked of the server, over connections that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

import orjson

from idolchat_llm_openrouter.completion_stream import BodyTooLarge, read_body
from idolchat_llm_openrouter.errors import CallFailed, ErrorMapper
from idolchat_llm_openrouter.http import (
    Connector,
    Disconnected,
    HTTPConnection,
    HTTPError,
    Pool,
    RequestWriter,
    Response,
    proxy_for,
)
from idolchat_llm_openrouter.request_body import headers_of
from idolchat_llm_openrouter.settings import OpenRouterSettings
from idolchat_llm_openrouter.timeouts import AttemptTimer

__all__ = ["Client", "open_client"]

MAX_ERROR_BYTES = 64 * 1024
MAX_LIST_BYTES = 32 * 1024 * 1024
ERROR_BODY_TIMEOUT_S = 5.0


class Client:
    """Sends requests; raises ``CallFailed``. Redirects are not followed: they would take the key along."""

    def __init__(self, pool: Pool, requests: RequestWriter) -> None:
        self._pool = pool
        self._requests = requests

    async def post_completion(
        self, body: bytes, errors: ErrorMapper, timer: AttemptTimer, *, traceparent: str | None = None
    ) -> Response:
        """Ask for a completion and wait for the head of a good answer, for as long as ``timer`` allows."""
        request = self._requests.post(body, traceparent=traceparent)
        response = None
        try:
            connection = self._pool.take() or await self._connected(timer)
            response = connection.send(request)
            timer.watch(response)
            await response.head()
            if 200 <= response.status < 300:
                return response
            raise await _read_refusal(response, errors)
        except BaseException as error:
            timer.stop()
            if response is not None:
                response.abort()
            if isinstance(error, HTTPError):
                raise timer.failure() or _connection_failure(error, errors) from error
            raise

    async def get(self, path: str, errors: ErrorMapper, *, timeout_s: float) -> Any:
        """Fetch some JSON."""
        try:
            async with asyncio.timeout(timeout_s):
                response, body = await self._got(path)
        except TimeoutError as error:
            raise errors.unreachable(f"no answer within {timeout_s:g} s") from error
        except HTTPError as error:
            raise _connection_failure(error, errors) from error
        except BodyTooLarge:
            raise errors.too_big(MAX_LIST_BYTES, "a list") from None
        if response.status == HTTPStatus.NOT_FOUND:
            raise errors.nothing_there()
        if response.status != HTTPStatus.OK:
            raise _refusal_of(response, body, errors)
        if response.coding:
            raise errors.compressed(response.coding)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise errors.not_the_api(response.content_type) from None

    async def _got(self, path: str) -> tuple[Response, bytes]:
        connection = self._pool.take() or await self._pool.connect()
        response = connection.send(self._requests.get(path))
        try:
            await response.head()
            return response, await read_body(response, MAX_LIST_BYTES)
        finally:
            response.abort()

    async def _connected(self, timer: AttemptTimer) -> HTTPConnection:
        try:
            async with asyncio.timeout_at(timer.until):
                return await self._pool.connect()
        except TimeoutError as error:
            raise timer.late() from error


async def _read_refusal(response: Response, errors: ErrorMapper) -> CallFailed:
    body = b""
    with suppress(BodyTooLarge, TimeoutError, HTTPError):  # the status tells enough
        async with asyncio.timeout(ERROR_BODY_TIMEOUT_S):
            body = await read_body(response, MAX_ERROR_BYTES)
    return _refusal_of(response, body, errors)


def _refusal_of(response: Response, body: bytes, errors: ErrorMapper) -> CallFailed:
    return errors.from_response(
        response.status,
        body,
        location=response.header(b"location"),
        retry_after=response.header(b"retry-after"),
    )


def _connection_failure(error: HTTPError, errors: ErrorMapper) -> CallFailed:
    # A kept connection that the server closed while the request was on its way costs nothing to try again.
    return errors.unreachable(str(error), retry_after_s=0 if isinstance(error, Disconnected) else None)


@asynccontextmanager
async def open_client(settings: OpenRouterSettings) -> AsyncIterator[Client]:
    """Open a pool without a limit: how many turns run at once is decided elsewhere."""
    proxy = proxy_for(settings.base_url)
    pool = Pool(Connector(settings.base_url, proxy), connect_timeout_s=settings.connect_timeout_s)
    requests = RequestWriter(settings.base_url, headers_of(settings), posts_to="/chat/completions", proxy=proxy)
    try:
        yield Client(pool, requests)
    finally:
        await pool.close()
