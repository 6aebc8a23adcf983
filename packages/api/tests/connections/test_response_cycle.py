"""The head of a response as it goes over the wire."""

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from idolchat_api import ApiSettings
from idolchat_api.connections.http_protocol import limited_protocols
from idolchat_api.connections.limiter import ConnectionLimiter

type Headers = list[tuple[bytes, bytes]]
KIND = (b"content-type", b"text/plain")


async def answered(request: bytes, *, status: int = 200, headers: Headers, body: bytes = b"Hello") -> bytes:
    """Serve one application, and return all that it answers to a request until the connection is closed."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    settings, state = ApiSettings(), ServerState()
    protocol: Any = limited_protocols(ConnectionLimiter(settings), settings, has_login=False)[0]
    config = uvicorn.Config(app, http=protocol, log_config=None, access_log=False, lifespan="off", interface="asgi3")
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with asyncio.timeout(60), server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("method", "status", "given", "rest"),
    [
        ("GET", 200, [(b"content-length", b"5")], b"content-length: 5\r\nconnection: close\r\n\r\nHello"),
        ("GET", 200, [], b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\nHello\r\n0\r\n\r\n"),
        ("HEAD", 200, [], b"connection: close\r\n\r\n"),
        ("GET", 204, [], b"connection: close\r\n\r\n"),
        (
            "GET",
            200,
            [(b"connection", b"close"), (b"content-length", b"5")],
            b"connection: close\r\ncontent-length: 5\r\n\r\nHello",
        ),
        (
            "GET",
            200,
            [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-length", b"5")],
            b"set-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 5\r\nconnection: close\r\n\r\nHello",
        ),
    ],
)
async def test_a_head_says_how_long_the_body_is(method: str, status: int, given: Headers, rest: bytes) -> None:
    request = f"{method} / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
    body = b"" if status == 204 else b"Hello"

    answer = await answered(request, status=status, headers=[KIND, *given], body=body)

    line, _, after = answer.partition(b"\r\n")
    assert line.startswith(b"HTTP/1.1 %d " % status)
    assert after == b"content-type: text/plain\r\n" + rest


@pytest.mark.parametrize(
    "header",
    [(b"x-name", b"a\r\nx-other: b"), (b"x-name", b"a\0b"), (b"x name", b"a"), (b"x-name:", b"a")],
)
async def test_no_header_begins_another(header: tuple[bytes, bytes]) -> None:
    answer = await answered(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", headers=[KIND, header])

    assert answer == b""
