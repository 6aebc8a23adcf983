"""Connections are kept while they are good, and no longer."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from tests.support.mock_openrouter.server import start
from tests.support.raw_server import RawServer, answering, raw_server, request_from

from idolchat_core import Finished, ProviderUnavailable
from idolchat_core.testing import asking, collect
from idolchat_llm_openrouter.http import Connector, Pool, ReadCoalescing, RequestWriter, Response
from idolchat_llm_openrouter.transport import Disconnected, TransportError

type Open = Callable[..., Any]

HI = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
REQUESTS = RequestWriter("http://server.example/v1", {})


@asynccontextmanager
async def pool_to(server: RawServer, **settings: Any) -> AsyncIterator[Pool]:
    pool = Pool(Connector(f"http://127.0.0.1:{server.port}"), **({"connect_timeout_s": 1} | settings))
    try:
        yield pool
    finally:
        await pool.close()


async def asked(pool: Pool) -> Response:
    connection = pool.take() or await pool.connect()
    response = connection.send(REQUESTS.get("/"), ReadCoalescing())
    await response.head()
    return response


async def test_a_connection_serves_one_request_after_another() -> None:
    async with raw_server(answering(HI, HI, HI)) as server, pool_to(server) as pool:
        bodies = [await (await asked(pool)).read() for _ in range(3)]

    assert bodies == [b"hi"] * 3
    assert server.connections == 1


async def test_requests_at_once_each_have_a_connection() -> None:
    async with raw_server(answering(HI)) as server, pool_to(server) as pool:
        await asyncio.gather(*(asked(pool) for _ in range(20)))

    assert server.connections == 20


async def test_a_connection_that_is_free_for_long_is_closed() -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(HI)
        await reader.read()
        closed.set()

    async with raw_server(serve) as server, pool_to(server, keep_alive_s=0.05) as pool:
        await asked(pool)
        await closed.wait()

        assert pool.take() is None


async def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    async with raw_server(answering(HI)) as server, pool_to(server) as pool:
        for _ in range(5):
            await asked(pool)
            while connection := pool.take():
                pool.free(connection)
                await asyncio.sleep(0)

    assert server.connections == 5


async def test_a_connection_that_the_server_closes_on_a_request_is_told_apart() -> None:
    """The race that no client can win: the request was on its way when the server closed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(HI)
        await request_from(reader)

    async with raw_server(serve) as server, pool_to(server) as pool:
        await asked(pool)
        with pytest.raises(Disconnected):
            await asked(pool)


async def test_closing_ends_what_is_going_on() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(HI[:-1])
        await reader.read()

    async with raw_server(serve) as server:
        async with pool_to(server) as pool:
            response = await asked(pool)

        assert await response.read() == b"h"
        with pytest.raises(TransportError):
            await response.read()


# TLS


def tls_of(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_server_is_reached_over_tls(authority: trustme.CA, open_provider: Open) -> None:
    server = await start(0, tls_of(authority, "localhost"))
    port = server.sockets[0].getsockname()[1]
    async with open_provider(base_url=f"https://localhost:{port}/api/v1") as provider:
        for model, stream in (("mock/n3", True), ("mock/j3", False), ("mock/n3-bytes", True)):
            assert isinstance((await collect(provider, asking("Hi!", model=model, stream=stream)))[-1], Finished)
    server.close()


@pytest.mark.parametrize(("name", "is_known"), [("localhost", False), ("other.example", True)])
async def test_a_certificate_that_proves_nothing_is_not_trusted(
    authority: trustme.CA, open_provider: Open, name: str, is_known: bool
) -> None:
    issuer = authority if is_known else trustme.CA()
    server = await start(0, tls_of(issuer, name))
    port = server.sockets[0].getsockname()[1]
    async with open_provider(base_url=f"https://localhost:{port}/api/v1", retries=0) as provider:
        with pytest.raises(ProviderUnavailable, match="its certificate is not trusted"):
            await collect(provider, asking("Hi!"))
    server.close()


async def test_a_server_that_speaks_no_tls_is_told(open_provider: Open) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with (
        raw_server(serve) as server,
        open_provider(base_url=f"https://127.0.0.1:{server.port}", retries=0) as provider,
    ):
        with pytest.raises(ProviderUnavailable, match="does not speak TLS"):
            await collect(provider, asking("Hi!"))


async def test_the_time_to_connect_holds_for_tls_too(open_provider: Open) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        raw_server(serve) as server,
        open_provider(base_url=f"https://127.0.0.1:{server.port}", connect_timeout_s=0.2, retries=0) as provider,
    ):
        with pytest.raises(ProviderUnavailable, match=r"no connection within 0\.2 s"):
            await collect(provider, asking("Hi!"))


# As the provider uses them


async def test_a_server_that_hangs_up_is_asked_again_at_once(open_provider: Open) -> None:
    answers = iter([b"", b"", b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 69\r\n\r\n'
        b'{"choices":[{"message":{"content":"Hello!"},"finish_reason":"stop"}]}'])  # fmt: skip

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(next(answers))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with (
        raw_server(serve) as server,
        open_provider(base_url=f"http://127.0.0.1:{server.port}", retry_max_wait_s=60) as provider,
    ):
        pieces = await collect(provider, asking("Hi!", stream=False))

    assert isinstance(pieces[-1], Finished)
    assert server.connections == 3


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reply_that_comes_compressed_is_told(open_provider: Open, stream: bool) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
    async with (
        raw_server(answering(answer)) as server,
        open_provider(base_url=f"http://127.0.0.1:{server.port}") as provider,
    ):
        with pytest.raises(ProviderUnavailable, match="compressed with 'gzip'"):
            await collect(provider, asking("Hi!", stream=stream))

    assert server.connections == 1


async def test_what_is_not_http_is_told(open_provider: Open) -> None:
    async with (
        raw_server(answering(b"220 mail.example ESMTP\r\n")) as server,
        open_provider(base_url=f"http://127.0.0.1:{server.port}", retries=0) as provider,
    ):
        with pytest.raises(ProviderUnavailable, match="not HTTP"):
            await collect(provider, asking("Hi!"))
