"""The provider's transport over aiohttp: proof that its HTTP client can be swapped."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from yarl import URL

from idolchat_llm_openrouter.transport import Disconnected, Endpoint, OnPieces, TransportError

KEEP_ALIVE_S = 60.0


class AiohttpResponse:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self._response = response
        self._reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def is_over(self) -> bool:
        return self._response.content.at_eof()

    def header(self, name: str) -> str | None:
        return self._response.headers.get(name)

    async def read(self) -> bytes:
        reading = asyncio.ensure_future(self._response.content.readany())
        try:
            first: set[asyncio.Future[Any]] = {reading, self._reason}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise TransportError(self._reason.result())
            with translated_errors("it closed the connection amid its answer"):
                return reading.result()
        finally:
            reading.cancel()

    async def deliver(self, on_pieces: OnPieces) -> None:
        while piece := await self.read():
            if not on_pieces([piece]):
                return

    def expect_stream(self) -> None:
        pass

    def interrupt(self, reason: str) -> None:
        if not self._reason.done():
            self._reason.set_result(reason)

    def abort(self) -> None:
        self._response.close()


class AiohttpTransport:
    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint) -> None:
        self._session = session
        self._endpoint = endpoint

    async def post(self, path: str, body: bytes, *, traceparent: str | None = None) -> AiohttpResponse:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        if traceparent is not None:
            headers["traceparent"] = traceparent
        return await self._send("POST", path, headers=headers, body=body)

    async def get(self, path: str) -> AiohttpResponse:
        return await self._send("GET", path, headers={}, body=None)

    async def _send(self, method: str, path: str, *, headers: dict[str, str], body: bytes | None) -> AiohttpResponse:
        url = URL(self._endpoint.base_url + path, encoded=True)
        data = io.BytesIO(body) if body else None
        with translated_errors(f"no connection within {self._endpoint.connect_timeout_s:g} s"):
            return AiohttpResponse(
                await self._session.request(method, url, headers=headers, data=data, allow_redirects=False)
            )


@asynccontextmanager
async def open_aiohttp(endpoint: Endpoint) -> AsyncIterator[AiohttpTransport]:
    async with aiohttp.ClientSession(
        headers=endpoint.headers,
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=endpoint.connect_timeout_s),
        auto_decompress=False,
        trust_env=True,
    ) as session:
        yield AiohttpTransport(session, endpoint)


@contextmanager
def translated_errors(too_late: str) -> Iterator[None]:
    try:
        yield
    except aiohttp.ServerDisconnectedError as error:
        raise Disconnected("it closed the connection") from error
    except aiohttp.ClientConnectorError as error:
        raise TransportError(error.strerror or type(error).__name__) from error
    except (aiohttp.ServerTimeoutError, aiohttp.ClientPayloadError) as error:
        raise TransportError(too_late) from error
    except aiohttp.ClientOSError as error:
        raise Disconnected(error.strerror or type(error).__name__) from error
    except aiohttp.ClientError as error:
        raise TransportError(f"it sent what is not HTTP ({type(error).__name__})") from error
