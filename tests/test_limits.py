"""Each limit at its bound and one past, and whoever passes it costs the others nothing."""

import asyncio
import json
import select
import socket
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.memory import peak_mib, reset_peak, resident_mib
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

HEADER_TIMEOUT_S = 4
MAX_HEADER_BYTES = 4096
MAX_HEADERS = 20
MAX_BODY_BYTES = 16_000
MAX_DEPTH, MAX_MESSAGE_DEPTH = 200, 190

CONTINUATION, TEXT, PING = 0, 1, 9
PONG = b"\x8a\x00"
UPGRADE = (
    b"GET /ws/chat HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"sec-websocket-extensions: permessage-deflate\r\n\r\n"
)

LIMITS = {
    "IDOLCHAT_API_HEADER_TIMEOUT_S": str(HEADER_TIMEOUT_S),
    "IDOLCHAT_API_BODY_TIMEOUT_S": "3",
    "IDOLCHAT_API_READ_TIMEOUT_S": "3",
    "IDOLCHAT_API_MAX_HEADER_BYTES": str(MAX_HEADER_BYTES),
    "IDOLCHAT_API_MAX_HEADERS": str(MAX_HEADERS),
    "IDOLCHAT_API_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
    "IDOLCHAT_API_MAX_WS_MESSAGE_BYTES": "20000",
}


@pytest.fixture(scope="module")
def shared_server(start_shared_server: StartServer, mock_openrouter_process: Mock) -> Server:
    return start_shared_server(
        OPENROUTER_API_KEY="sk-or-v1-canary",
        OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
        IDOLCHAT_MODEL="mock/echo",
        IDOLCHAT_MEMORY_SEMANTIC="off",
        **LIMITS,
    )


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer(server: Server, request: bytes) -> tuple[int, Any]:
    """Send bytes; give the status and the body of the reply."""
    async with connected(server) as (reader, writer):
        writer.write(request)
        return await read_answer(reader)


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
    return int(head.split(b" ")[1]), json.loads(body)


async def is_served(server: Server) -> bool:
    async with server.client() as client, asyncio.timeout(60):
        while True:
            response = await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]})
            if response.status_code != 503 or response.json()["error"]["code"] != "storage_unavailable":
                return response.status_code == 200
            # On PostgreSQL, where others keep the machine so busy that this server's heartbeat is late.
            await asyncio.sleep(float(response.headers["retry-after"]))


def head(*, size: int | None = None, count: int = 1) -> bytes:
    """Make the head of a good request of so many bytes, or with so many headers."""
    lines = [b"GET /livez HTTP/1.1", b"host: localhost", *(b"x-%d: y" % number for number in range(count - 1))]
    whole = b"\r\n".join(lines) + b"\r\n\r\n"
    if size is None:
        return whole
    return whole[:-2] + b"z: " + b"y" * (size - len(whole) - 5) + b"\r\n\r\n"


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /chat HTTP/1.1", b"host: localhost", b"content-type: application/json", *headers]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body)]) + b"\r\n\r\n" + body


def post_in_chunks(body: bytes) -> bytes:
    head_of_chunks = post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
    return head_of_chunks + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def body_of(size: int) -> bytes:
    whole = json.dumps({"messages": [{"role": "user", "content": ""}]}).encode()
    return whole[:-4] + b"y" * (size - len(whole)) + whole[-4:]


def nested(depth: int) -> bytes:
    """Make a body of so many levels, its own included."""
    value = b"[" * (depth - 1) + b'"x"' + b"]" * (depth - 1)
    return b'{"messages": [{"role": "user", "content": "Hi"}], "metadata": %b}' % value


def nested_message(depth: int) -> bytes:
    """Make a message of so many levels, its own included."""
    value = b"[" * (depth - 3) + b'"x"' + b"]" * (depth - 3)
    return b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", "more": %b}]}]}' % value


async def test_heads_are_bounded(server: Server) -> None:
    assert (await answer(server, head(size=MAX_HEADER_BYTES)))[0] == 200
    assert (await answer(server, head(count=MAX_HEADERS)))[0] == 200

    for request in (head(size=MAX_HEADER_BYTES + 1), head(count=MAX_HEADERS + 1), head()[:-4] + b": " + b"y" * 5000):
        status, said = await answer(server, request)
        assert (status, said["error"]["code"]) == (431, "head_too_large")


async def test_bodies_are_bounded(server: Server) -> None:
    for request in (post, post_in_chunks):
        assert (await answer(server, request(body_of(MAX_BODY_BYTES))))[0] == 200
        status, said = await answer(server, request(body_of(MAX_BODY_BYTES + 1)))
        assert (status, said["error"]["code"]) == (413, "body_too_large")


async def test_nesting_is_bounded(server: Server) -> None:
    assert (await answer(server, post(nested(MAX_DEPTH))))[0] == 200
    for depth in (MAX_DEPTH + 1, 1000, 7_000):
        status, said = await answer(server, post(nested(depth)))
        assert (status, said["error"]["code"]) == (400, "malformed_request")

    assert (await answer(server, post(nested_message(MAX_MESSAGE_DEPTH))))[0] == 200
    status, said = await answer(server, post(nested_message(MAX_MESSAGE_DEPTH + 1)))
    assert (status, said["error"]["code"]) == (422, "invalid_request")


async def test_a_compressed_body_is_not_read(server: Server) -> None:
    bomb = zlib.compress(bytes(10_000_000), 9)
    status, said = await answer(server, post(bomb, b"content-encoding: gzip"))

    assert (status, said["error"]["code"]) == (415, "unsupported_media_type")


async def test_a_compressed_frame_closes_its_socket(server: Server) -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packed.compress(bytes(10_000_000)) + packed.flush()
    async with connected(server) as (reader, writer):
        writer.write(UPGRADE)
        accepted = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\xc1\xfe" + struct.pack("!H", len(bomb)) + bytes(4) + bomb)  # FIN, RSV1: compressed

        assert b"permessage-deflate" not in accepted
        assert await closed_with(reader) == 1002


async def test_slow_senders_are_cut_off_and_others_served(server: Server) -> None:
    """Slowloris: heads that never end, bodies that never come, connections that say nothing."""
    begun = [b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-", post(body_of(15_000))[:200], b""]
    async with asyncio.timeout(60):
        async with asyncio.TaskGroup() as group:
            told = [group.create_task(_drip(server, begun[number % 3])) for number in range(300)]
            served = [group.create_task(is_served(server)) for _ in range(5)]
    answers = [task.result() for task in told]

    assert all(task.result() for task in served)
    assert all(status == 408 for status in answers)


async def _drip(server: Server, beginning: bytes) -> int:
    """Send a byte at a time until the server has enough of it; give the status that it tells."""
    async with connected(server) as (reader, writer):
        writer.write(beginning)
        said = asyncio.create_task(reader.read())
        while not (await asyncio.wait({said}, timeout=0.2))[0]:
            if beginning:
                writer.write(b"y")
        try:
            return int(said.result().split(b" ")[1])
        except ConnectionResetError:  # what we sent meanwhile met a closed connection, and took the answer along
            return 408


async def test_a_client_that_does_not_read_is_cut_off(server: Server) -> None:
    async with server.client() as client:
        message = {"messages": [{"role": "user", "content": "y" * 14_000}], "model": "mock/echo"}
        told = (await client.post("/chat", json=message)).json()["conversation_id"]
    address = urlsplit(server.url)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((address.hostname, address.port))
        deaf.send(b"GET /conversation/%b HTTP/1.1\r\nhost: localhost\r\n\r\n" % told.encode() * 400)
        async with asyncio.timeout(60):
            await asyncio.to_thread(_until_reset, deaf)
    assert await is_served(server)


def _until_reset(deaf: socket.socket) -> None:
    """Wait until the other side has given up, without reading anything (poll(2): POLLERR, POLLHUP)."""
    poll = select.poll()
    poll.register(deaf, 0)
    poll.poll(60_000)


@asynccontextmanager
async def upgraded(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a WebSocket of whose frames the test sees every byte."""
    async with connected(server) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        yield reader, writer


def frame_of(opcode: int, data: bytes, *, is_last: bool = True) -> bytes:
    """Write a frame as a client does, masked with zeros (RFC 6455, section 5.2)."""
    first = opcode | (0x80 if is_last else 0)
    if len(data) < 126:
        return struct.pack("!BB", first, 0x80 | len(data)) + bytes(4) + data
    return struct.pack("!BBQ", first, 0xFF, len(data)) + bytes(4) + data


async def test_a_socket_that_does_not_read_is_cut_off(server: Server) -> None:
    """Every ping is answered, but not without end to somebody who does not listen."""
    reset_peak(server.pid)
    before = resident_mib(server.pid)
    async with asyncio.timeout(60), upgraded(server) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # as every transport that reads
        with pytest.raises(ConnectionError):
            await _send_for_ever(writer, frame_of(PING, b"y" * 125) * 2000)

    assert peak_mib(server.pid) - before < 30
    assert await is_served(server)


async def _send_for_ever(writer: asyncio.StreamWriter, data: bytes) -> None:
    while True:
        writer.write(data)
        await writer.drain()


@pytest.mark.parametrize("beginning", [frame_of(TEXT, b"y" * 500)[:-1], frame_of(TEXT, b"y", is_last=False)])
async def test_a_message_that_does_not_end_closes_its_socket(server: Server, beginning: bytes) -> None:
    async with upgraded(server) as (reader, writer):
        writer.write(beginning)

        assert await closed_with(reader) == 1008


async def test_a_message_in_pieces_without_end_closes_its_socket(server: Server) -> None:
    async with upgraded(server) as (reader, writer):
        writer.write(frame_of(TEXT, b"y", is_last=False) + frame_of(PING, b""))
        assert await reader.readexactly(2) == PONG
        writer.write(frame_of(CONTINUATION, b"", is_last=False) * 14_000)

        assert await closed_with(reader) == 1009


async def closed_with(reader: asyncio.StreamReader) -> int:
    """Read to the end, which is a closing frame; give its code."""
    async with asyncio.timeout(60):
        said = await reader.read()
    code: int = struct.unpack("!H", said[said.index(b"\x88") + 2 :][:2])[0]
    return code


async def test_a_thousand_idle_sockets_cost_little_and_are_closed(server: Server) -> None:
    before = resident_mib(server.pid)
    address = urlsplit(server.url)
    idle = [await asyncio.open_connection(address.hostname, address.port) for _ in range(1000)]
    try:
        assert await is_served(server)
        assert resident_mib(server.pid) - before < 60
        async with asyncio.timeout(60):
            said = await asyncio.gather(*(reader.read() for reader, _ in idle))
    finally:
        for _, writer in idle:
            writer.transport.abort()

    assert {one.split(b" ")[1] for one in said} == {b"408"}


async def test_a_thousand_idle_websockets_cost_little(server: Server) -> None:
    before = resident_mib(server.pid)
    async with AsyncExitStack() as stack:
        for _ in range(1000):
            await stack.enter_async_context(upgraded(server))

        assert await is_served(server)
        assert resident_mib(server.pid) - before < 60


@pytest.mark.parametrize("fault", ["xflood-m1000", "xfloodlines-m1000", "xfloodcomments-m1000"])
async def test_a_reply_of_a_gigabyte_is_cut_and_others_are_served(
    server: Server, mock_openrouter: Mock, fault: str
) -> None:
    reset_peak(server.pid)
    before = resident_mib(server.pid)
    async with server.client() as client:
        message = {"messages": [{"role": "user", "content": "Hi"}], "model": f"mock/{fault}"}
        flooded = asyncio.create_task(client.post("/chat/stream", json=message))
        await mock_openrouter.wait(streams=1)
        assert await is_served(server)
        said = (await flooded).text
    peak = peak_mib(server.pid)

    assert said.endswith("data: [DONE]\n\n")
    assert '"error"' in said
    assert mock_openrouter.stats()["bytes_out"] < 150_000_000
    assert peak - before < 400, f"{before:.0f} MiB before, {peak:.0f} MiB at the most"


async def test_no_more_connections_than_are_allowed(start_server: StartServer) -> None:
    server = start_server(IDOLCHAT_API_MAX_CONNECTIONS="3", IDOLCHAT_API_HEADER_TIMEOUT_S="60", IDOLCHAT_LLM="local")
    async with AsyncExitStack() as stack:
        first = [await stack.enter_async_context(connected(server)) for _ in range(3)]
        assert (await answer(server, head()))[1]["error"]["code"] == "too_many_connections"
        for reader, writer in first:
            writer.write(head())
            assert (await read_answer(reader))[0] == 200
