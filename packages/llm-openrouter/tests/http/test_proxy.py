"""The proxy that the environment names is used, as its kind wants it, and learns nothing that is not for it."""

import asyncio
import base64
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
import trustme
import uvloop
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_openrouter.server import start
from tests.support.raw_server import Serve, answering, raw_server

from idolchat_core import ConfigurationError, Finished, ProviderUnavailable
from idolchat_core.testing import asking, collect

type Open = Callable[..., Any]
type Run = Callable[[Coroutine[Any, Any, None]], None]


class Tunnels:
    """A proxy that does as CONNECT says; ``seen`` is all that it was sent."""

    def __init__(self) -> None:
        self.seen = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen += (head := await reader.readuntil(b"\r\n\r\n"))
        port = int(head.split()[1].rpartition(b":")[2])
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pass_on(reader, to_server))
            both.create_task(self._pass_on(from_server, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                self.seen += data
                writer.write(data)
        writer.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_server_over_tls_is_reached_through_a_tunnel(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, open_provider: Open, run: Run, scheme: str
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    tunnels = Tunnels()

    async def talk() -> None:
        server = await start(0, tls)
        port = server.sockets[0].getsockname()[1]
        async with raw_server(tunnels.serve, tls if scheme == "https" else None) as proxy:
            monkeypatch.setenv("https_proxy", f"{scheme}://ann:p%40ss@localhost:{proxy.port}")
            async with open_provider(base_url=f"https://localhost:{port}/api/v1") as provider:
                for _ in range(2):
                    assert isinstance((await collect(provider, asking("Hi!", model="mock/n9")))[-1], Finished)
            assert proxy.connections == 1
        server.close()

    await asyncio.to_thread(run, talk())
    assert b"\r\nProxy-Authorization: Basic " + base64.b64encode(b"ann:p@ss") + b"\r\n" in tunnels.seen
    assert b"canary" not in tunnels.seen


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), "answers HTTP 407"),
        (answering(b"HTTP/1.1 200 OK\r\n\r\n<html>"), "does not answer as a proxy does"),
        (answering(b"220 mail.example ESMTP\r\n"), "does not answer as a proxy does"),
        (answering(b"x" * 100_000), "does not answer as a proxy does"),
        (answering(b""), "does not answer as a proxy does"),
    ],
)
async def test_what_a_proxy_does_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, open_provider: Open, serve: Serve, why: str
) -> None:
    async with raw_server(serve) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        async with open_provider(base_url="https://models.example/v1", retries=0) as provider:
            with pytest.raises(ProviderUnavailable, match=f"the proxy 127.0.0.1:{proxy.port} {why}"):
                await collect(provider, asking("Hi!"))


async def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, open_provider: Open) -> None:
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")
    async with open_provider(base_url="http://models.example/v1", retries=0) as provider:
        with pytest.raises(
            ProviderUnavailable, match=r"models\.example .*the proxy 127\.0\.0\.1:9: Connection refused"
        ):
            await collect(provider, asking("Hi!"))


async def test_a_proxy_that_passes_requests_on_is_told_who_asks(
    mock_openrouter: Mock, monkeypatch: pytest.MonkeyPatch, open_provider: Open
) -> None:
    monkeypatch.setenv("http_proxy", mock_openrouter.url.replace("://", "://ann:secret@"))
    async with open_provider(base_url="http://models.example:8080/api/v1") as provider:
        await collect(provider, asking("Hi!"))

    request = mock_openrouter.requests(1)[0]
    assert request["path"] == "http://models.example:8080/api/v1/chat/completions"
    assert request["headers"]["host"] == "models.example:8080"
    assert request["headers"]["proxy-authorization"] == "Basic " + base64.b64encode(b"ann:secret").decode()


async def test_no_proxy_is_heeded(mock_openrouter: Mock, monkeypatch: pytest.MonkeyPatch, open_provider: Open) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with open_provider() as provider:
        await collect(provider, asking("Hi!"))

    assert "proxy-authorization" not in mock_openrouter.requests(1)[0]["headers"]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://", "http://ann:canary@127.0.0.1:port"])
async def test_a_proxy_that_cannot_be_used_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, open_provider: Open, proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
        async with open_provider(base_url="https://models.example/v1"):
            pass

    assert "canary" not in str(caught.value)
