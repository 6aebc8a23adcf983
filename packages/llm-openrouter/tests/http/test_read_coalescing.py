"""Of very many streams, what came while one rested is read together; of few, each piece as it comes."""

import asyncio
import socket

import pytest

from idolchat_llm_openrouter.http import Connector, HTTPConnection, Pool, ReadCoalescing, RequestWriter

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECES = [b"%d " % number for number in range(20)]


async def reads(coalescing: ReadCoalescing) -> list[bytes]:
    """Read what a server sends piece by piece, each when the one before has had time to come."""
    ours, server = socket.socketpair()
    pool = Pool(Connector("http://server.example"), connect_timeout_s=1)
    with server:
        _, connection = await asyncio.get_running_loop().create_connection(lambda: HTTPConnection(pool), sock=ours)
        response = connection.send(RequestWriter("http://server.example/v1", {}).get("/"), coalescing)
        server.recv(1024)
        server.sendall(HEAD)
        await response.head()
        response.expect_stream()
        found = []
        for piece in PIECES:
            server.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            for _ in range(3):
                await asyncio.sleep(0)
            found.append(response.take())
        server.sendall(b"0\r\n\r\n")
        while data := await response.read():
            found.append(data)
        assert response.is_over
        await pool.close()
    return [data for data in found if data]


@pytest.mark.parametrize("streams", [150, 2000])
async def test_what_comes_while_a_stream_rests_is_read_together(streams: int) -> None:
    coalescing = ReadCoalescing()
    coalescing.streams = streams

    found = await reads(coalescing)

    assert b"".join(found) == b"".join(PIECES)
    assert len(found) < len(PIECES)


async def test_few_streams_do_not_rest() -> None:
    coalescing = ReadCoalescing()
    coalescing.streams = 32

    assert await reads(coalescing) == PIECES
