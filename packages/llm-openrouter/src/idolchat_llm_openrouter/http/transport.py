"""The transport of our own HTTP client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from idolchat_llm_openrouter.http.connector import Connector
from idolchat_llm_openrouter.http.pool import Pool
from idolchat_llm_openrouter.http.proxy import proxy_for
from idolchat_llm_openrouter.http.read_coalescing import ReadCoalescing
from idolchat_llm_openrouter.http.request import RequestWriter
from idolchat_llm_openrouter.http.response import Response
from idolchat_llm_openrouter.transport import Endpoint

__all__ = ["HTTPTransport", "open_http"]


class HTTPTransport:
    """Sends each request over a free connection of the pool, or over a new one."""

    def __init__(self, pool: Pool, requests: RequestWriter) -> None:
        self._pool = pool
        self._requests = requests
        self._coalescing = ReadCoalescing()

    async def post(self, path: str, body: bytes, *, traceparent: str | None = None) -> Response:
        return await self._send(self._requests.post(path, body, traceparent=traceparent))

    async def get(self, path: str) -> Response:
        return await self._send(self._requests.get(path))

    async def _send(self, request: bytes) -> Response:
        connection = self._pool.take() or await self._pool.connect()
        response = connection.send(request, self._coalescing)
        try:
            await response.head()
        except BaseException:
            response.abort()
            raise
        return response


@asynccontextmanager
async def open_http(endpoint: Endpoint) -> AsyncIterator[HTTPTransport]:
    """Open a pool of connections, through the proxy that the environment names. Raises ``ConfigurationError``."""
    proxy = proxy_for(endpoint.base_url)
    pool = Pool(Connector(endpoint.base_url, proxy), connect_timeout_s=endpoint.connect_timeout_s)
    try:
        yield HTTPTransport(pool, RequestWriter(endpoint.base_url, endpoint.headers, proxy=proxy))
    finally:
        await pool.close()
