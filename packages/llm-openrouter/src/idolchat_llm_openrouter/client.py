"""The HTTP client: one pool of connections to one server."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from yarl import URL

from idolchat_llm_openrouter.faults import Fault, Faults
from idolchat_llm_openrouter.payload import headers_of
from idolchat_llm_openrouter.reply import CONNECTION_ERRORS, TooBig, drop, read_body
from idolchat_llm_openrouter.settings import OpenRouterSettings

__all__ = ["Client", "open_client"]

KEEP_ALIVE_S = 60.0
DNS_TTL_S = 300
POST_HEADERS = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
MAX_BYTES_AT_ONCE = 1024 * 1024  # aiohttp warns beyond: a larger body is better written in pieces
MAX_ERROR_BYTES = 64 * 1024
MAX_LIST_BYTES = 32 * 1024 * 1024
ERROR_BODY_TIMEOUT_S = 5.0


class Client:
    """Sends requests; what goes wrong is a ``Fault``. Redirects are not followed: they would take the key along."""

    def __init__(self, session: aiohttp.ClientSession, settings: OpenRouterSettings) -> None:
        self._session = session
        self._base_url = settings.base_url
        self._completions = URL(f"{settings.base_url}/chat/completions", encoded=True)
        self._proxy = _proxy_for(settings.base_url)
        self._connect_timeout_s = settings.connect_timeout_s

    async def post_completion(
        self, body: bytes, faults: Faults, *, until: float, late: Fault, traceparent: str | None = None
    ) -> aiohttp.ClientResponse:
        """Ask for a completion and wait for the head of a good answer; raise ``late`` after the loop time ``until``."""
        data = body if len(body) < MAX_BYTES_AT_ONCE else io.BytesIO(body)
        headers = POST_HEADERS if traceparent is None else POST_HEADERS | {"traceparent": traceparent}
        try:
            async with asyncio.timeout_at(until):
                response = await self._session.post(
                    self._completions, data=data, headers=headers, allow_redirects=False, proxy=self._proxy
                )
        except (TimeoutError, *CONNECTION_ERRORS) as error:
            raise self._lost(error, faults, late) from error
        if response.ok and response.status < HTTPStatus.MULTIPLE_CHOICES:
            return response
        raise await self._refusal(response, faults)

    async def get(self, path: str, faults: Faults, *, timeout_s: float) -> Any:
        """Fetch some JSON."""
        late = faults.unreachable(f"no answer within {timeout_s:g} s")
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.get(
                    URL(self._base_url + path, encoded=True), allow_redirects=False, proxy=self._proxy
                ) as response,
            ):
                body = await read_body(response, MAX_LIST_BYTES)
        except (TimeoutError, *CONNECTION_ERRORS) as error:
            raise self._lost(error, faults, late) from error
        except TooBig:
            raise faults.too_big(MAX_LIST_BYTES, "a list") from None
        if response.status == HTTPStatus.NOT_FOUND:
            raise faults.nothing_there()
        if response.status != HTTPStatus.OK:
            raise faults.from_response(response.status, response.headers, body)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise faults.not_the_api(response.content_type) from None

    def _lost(self, error: BaseException, faults: Faults, late: Fault) -> Fault:
        match error:
            case aiohttp.ServerTimeoutError():
                return faults.unreachable(f"no connection within {self._connect_timeout_s:g} s")
            case aiohttp.ServerDisconnectedError():
                # Most often a kept connection that the server closed while the request was on its way.
                return faults.unreachable("it closed the connection", retry_after_s=0)
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
                return faults.unreachable("its certificate is not trusted")
            case OSError() if not isinstance(error, TimeoutError):
                return faults.unreachable(error.strerror or type(error).__name__)
            case TimeoutError():
                return late
        return faults.unreachable(type(error).__name__)

    async def _refusal(self, response: aiohttp.ClientResponse, faults: Faults) -> Fault:
        body = b""
        try:
            async with asyncio.timeout(ERROR_BODY_TIMEOUT_S):
                body = await read_body(response, MAX_ERROR_BYTES)
        except (TooBig, TimeoutError, *CONNECTION_ERRORS):
            pass  # the status tells enough
        finally:
            drop(response)
        return faults.from_response(response.status, response.headers, body)


def _proxy_for(url: str) -> str | None:
    """Find the proxy that the environment names, once: aiohttp would look at every request."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


@asynccontextmanager
async def open_client(settings: OpenRouterSettings) -> AsyncIterator[Client]:
    """Open a pool without a limit: how many turns run at once is decided elsewhere."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=DNS_TTL_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers_of(settings),
        timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_timeout_s),
    ) as session:
        yield Client(session, settings)
