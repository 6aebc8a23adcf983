"""A client over HTTP/1.1, for whole replies and streams."""

import asyncio
import re
from time import perf_counter

from benchmarks.load.run import Client, Run

__all__ = ["HttpClient"]

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)")


class HttpClient(Client):
    """Keeps its connection; makes another where the server has closed it."""

    def __init__(self, run: Run, number: int) -> None:
        super().__init__(run, number)
        load = run.load
        self._head = "".join(
            f"{line}\r\n"
            for line in (
                f"POST {load.path} HTTP/1.1",
                f"host: {load.host}:{load.port}",
                "content-type: application/json",
                "accept: */*",
                *load.headers,
            )
        ).encode()
        self._buffer = bytearray()
        self._is_waiting = False
        self._again: asyncio.Task[None] | None = None

    def start(self) -> None:
        body = self.run.next_body(self)
        if body is None:
            self.leave()
            return
        self._buffer.clear()
        self._reply_head: bytes | None = None
        self._first_at: float | None = None
        self._silence = 0.0
        self._is_waiting = True
        self._sent_at = self._last_at = perf_counter()
        self.transport.write(self._head + b"content-length: %d\r\n\r\n" % len(body) + body)

    go_on = start

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        self._buffer += data
        if self._reply_head is None and not self._take_head():
            return
        if self._first_at is not None:
            self._silence = max(self._silence, now - self._last_at)
        elif self.run.first.search(self._buffer):
            self._first_at = now
        self._last_at = now
        if self._is_whole():
            self._finish(now)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.has_left:
            return
        if self._is_waiting:
            self.run.tally.fail("connection closed early")
        self._is_waiting = False
        self._again = asyncio.get_running_loop().create_task(self._reconnect())

    async def _reconnect(self) -> None:
        try:
            await self.connect()
        except OSError as error:
            self.run.tally.fail(type(error).__name__)
            self.leave()
        else:
            self.start()

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._reply_head = head = bytes(self._buffer[:end]).lower()
        del self._buffer[: end + 4]
        length = LENGTH.search(head)
        self._length = int(length[1]) if length else None
        return True

    def _is_whole(self) -> bool:
        if self._length is not None:
            return len(self._buffer) >= self._length
        return self._buffer.endswith(b"\r\n0\r\n\r\n") or self._buffer == b"0\r\n\r\n"

    def _finish(self, now: float) -> None:
        head = self._reply_head or b""
        self._is_waiting = False
        deltas = self._buffer.count(self.run.mark)
        if head[9:12] != b"200":
            self.run.tally.fail(f"status {head[9:12].decode()}")
        elif deltas < self.run.load.least_deltas:
            self.run.tally.fail(f"{deltas} deltas")
        else:
            first = None if self._first_at is None else self._first_at - self._sent_at
            self.run.tally.reply(now - self._sent_at, first_delta=first, silence=self._silence, deltas=deltas)
        if b"\r\nconnection: close" in head:
            self.transport.close()  # and another is made
        else:
            self.start()
