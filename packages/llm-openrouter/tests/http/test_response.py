"""Answers are read as they were sent, however they are cut; what is no answer is an error; a reader sets the pace."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.raw_server import raw_server, request_from

from idolchat_llm_openrouter.http import Connector, HTTPConnection, Pool, ReadCoalescing, RequestWriter, Response
from idolchat_llm_openrouter.transport import Disconnected, TransportError, media_type

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\nX-Noise: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FRAMINGS = ["length", "chunked", "close"]
REQUESTS = RequestWriter("http://server.example/v1", {})


def framed(framing: str, pieces: list[bytes]) -> bytes:
    body = b"".join(pieces)
    match framing:
        case "length":
            return OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        case "chunked":
            chunks = b"".join(b"%X;x=y\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
            return CHUNKED + chunks + b"0\r\nX-Trailer: 1\r\n\r\n"
    return OK + b"\r\n" + body


class Line:
    """A connection whose other end the test holds."""

    def __init__(self, pool: Pool, connection: HTTPConnection, server: socket.socket) -> None:
        self.pool = pool
        self.server = server
        self.response: Response = connection.send(REQUESTS.get("/"), ReadCoalescing())
        server.recv(1024)  # closed with bytes unread, it would reset the connection

    async def send(self, *pieces: bytes) -> None:
        """Send pieces so that each comes alone."""
        for piece in pieces:
            self.server.sendall(piece)
            await self.settle()

    async def settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def body(self) -> bytes:
        await self.response.head()
        said = b""
        while data := await self.response.read():
            said += data
        return said


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    ours, theirs = socket.socketpair()
    pool = Pool(Connector("http://server.example"), connect_timeout_s=1)
    with theirs:
        _, connection = await asyncio.get_running_loop().create_connection(lambda: HTTPConnection(pool), sock=ours)
        try:
            yield Line(pool, connection, theirs)
        finally:
            await pool.close()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FRAMINGS),
    st.lists(st.binary(max_size=20), max_size=4),
    st.booleans(),
    st.lists(st.integers(min_value=0), max_size=8),
)
async def test_an_answer_is_the_same_however_it_is_cut(
    framing: str, pieces: list[bytes], continues: bool, cuts: list[int]
) -> None:
    sent = (CONTINUE if continues else b"") + framed(framing, pieces)
    places = sorted({0, len(sent), *(cut % len(sent) for cut in cuts)})
    async with line() as at:
        await at.send(*(sent[start:end] for start, end in itertools.pairwise(places)))
        if framing == "close":
            at.server.close()

        assert await at.body() == b"".join(pieces)
        assert (at.response.status, media_type(at.response)) == (200, "text/plain")
        assert at.response.header("x-noise") is None
        assert (at.pool.take() is not None) is (framing != "close")


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_answer_may_be_cut_anywhere(framing: str) -> None:
    sent = CONTINUE + framed(framing, [b"data: one\n\n", b"data: two\n\n"])
    for place in range(1, len(sent)):
        async with line() as at:
            await at.send(sent[:place], sent[place:])
            if framing == "close":
                at.server.close()

            assert await at.body() == b"data: one\n\ndata: two\n\n"


async def test_pieces_that_came_together_are_read_together() -> None:
    async with line() as at:
        await at.send(CHUNKED, b"3\r\none\r\n", b"3\r\ntwo\r\n")

        assert await at.response.read() == b"onetwo"
        assert at.response.take() == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 twohundred OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"3\r\nabcdef\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_an_error(sent: bytes) -> None:
    async with line() as at:
        await at.send(sent)

        with pytest.raises(TransportError, match="not HTTP"):
            await at.body()


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (OK, b"X-Long: " + b"x" * 4096 + b"\r\n"),
        (OK + b"X-Long: ", b"x" * 4096),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (CHUNKED + b"1;", b"x" * 4096),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"X-Long: " + b"x" * 4096 + b"\r\n"),
    ],
    ids=["fields", "a field", "continues", "an extension", "trailers"],
)
async def test_what_is_no_body_does_not_go_on_for_ever(start: bytes, piece: bytes) -> None:
    async with line() as at:
        at.server.setblocking(False)
        await at.send(start)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            await at.send(*[piece] * 100)

        with pytest.raises(TransportError, match="no body"):
            await at.body()


async def test_a_trailer_is_no_header() -> None:
    async with line() as at:
        await at.send(CHUNKED + b"1\r\na\r\n0\r\nContent-Type: text/html\r\n\r\n")

        assert await at.body() == b"a"
        assert at.response.header("content-type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "more", [b"x", b"\0", OK + b"Content-Length: 6\r\n\r\nsecond", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
@pytest.mark.parametrize("together", [True, False], ids=["together", "apart"])
async def test_what_nobody_asked_for_ends_the_connection(more: bytes, together: bool) -> None:
    answer = framed("length", [b"first"])
    async with line() as at:
        await at.send(*([answer + more] if together else [answer, more]))

        assert await at.body() == b"first"
        assert at.response.status == 200
        assert at.pool.take() is None


@pytest.mark.parametrize("head", [OK + b"Connection: close\r\n", OK.replace(b"1.1", b"1.0")])
async def test_a_server_that_means_to_close_is_not_asked_again(head: bytes) -> None:
    async with line() as at:
        await at.send(head + b"Content-Length: 2\r\n\r\nhi")

        assert await at.body() == b"hi"
        assert at.pool.take() is None


@pytest.mark.parametrize("sent", [OK + b"Content-Length: 9\r\n\r\nhi", CHUNKED + b"2\r\nhi\r\n", CHUNKED + b"9\r\nhi"])
async def test_an_answer_that_is_cut_short_gives_what_came_and_then_an_error(sent: bytes) -> None:
    async with line() as at:
        await at.send(sent)
        at.server.close()
        await at.settle()

        assert await at.response.read() == b"hi"
        with pytest.raises(TransportError, match="amid its answer"):
            await at.response.read()


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 2"])
async def test_a_connection_that_is_closed_without_an_answer_is_told_apart(sent: bytes) -> None:
    async with line() as at:
        await at.send(sent)
        at.server.close()

        with pytest.raises(Disconnected):
            await at.response.head()


async def test_line_ends_of_small_servers_are_understood() -> None:
    async with line() as at:
        await at.send(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi")

        assert await at.body() == b"hi"


async def test_a_proposal_to_upgrade_is_passed_over() -> None:
    async with line() as at:
        await at.send(OK + b"Upgrade: h2,h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nhi")

        assert await at.body() == b"hi"


async def test_a_reader_sets_the_pace_of_the_server() -> None:
    """What waits to be read stays within a bound, and nothing of it is lost."""
    size, block = 64 * 1024 * 1024, b"x" * 65536
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_from(reader)
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(block)
            sent += len(block)
            await writer.drain()
        await reader.read()

    async with raw_server(serve) as server:
        pool = Pool(Connector(f"http://127.0.0.1:{server.port}"), connect_timeout_s=1)
        response = (await pool.connect()).send(REQUESTS.get("/"), ReadCoalescing())
        await response.head()
        for _ in range(1000):
            await asyncio.sleep(0)
        sent_unread = sent
        received = 0
        while data := await response.read():
            received += len(data)
        is_kept = pool.take() is not None
        await pool.close()

    assert sent_unread < size / 2
    assert received == size
    assert is_kept


async def test_an_answer_before_all_was_asked_is_heard_and_the_connection_left() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await gone.wait()

    gone = asyncio.Event()
    async with raw_server(serve) as server:
        pool = Pool(Connector(f"http://127.0.0.1:{server.port}"), connect_timeout_s=1)
        response = (await pool.connect()).send(REQUESTS.post("/say", b"x" * 32 * 1024 * 1024), ReadCoalescing())
        await response.head()
        kept = pool.take()
        await pool.close()
        gone.set()

    assert response.status == 413
    assert kept is None
