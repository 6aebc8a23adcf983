"""A client over a WebSocket: one socket, one turn after another."""

import base64
import re
import secrets
from time import perf_counter

from benchmarks.load.run import Client, Run

__all__ = ["WebSocketClient"]

TYPE = re.compile(rb'"type"\s*:\s*"([^"]*)"')
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
NO_MASK = bytes(4)  # a mask of zeros is as good as any other, and costs nothing


class WebSocketClient(Client):
    """Sends the body as a frame; the reply ends with a frame of the type ``end_frame``."""

    def __init__(self, run: Run, number: int) -> None:
        super().__init__(run, number)
        self._end = run.load.end_frame.encode()
        self._buffer = bytearray()
        self._is_open = False

    def start(self) -> None:
        load = self.run.load
        self._is_open = False
        lines = [
            f"GET {load.path} HTTP/1.1",
            f"host: {load.host}:{load.port}",
            "upgrade: websocket",
            "connection: upgrade",
            f"sec-websocket-key: {base64.b64encode(secrets.token_bytes(16)).decode()}",
            "sec-websocket-version: 13",
            *load.headers,
        ]
        self.transport.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open and not self._open():
            return
        while (frame := self._next_frame()) is not None:
            self._take(*frame)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.has_left:
            self.run.tally.fail("socket closed early")
            self.leave()

    def close(self) -> None:
        if self._is_open and not self.transport.is_closing():
            self._send((1000).to_bytes(2), CLOSE)
        super().close()

    def _open(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        status = bytes(self._buffer[9:12])
        del self._buffer[: end + 4]
        if status != b"101":
            self.run.tally.fail(f"status {status.decode()}")
            self.leave()
            self.close()
            return False
        self._is_open = True
        self.go_on()
        return True

    def go_on(self) -> None:
        body = self.run.next_body(self)
        if body is None:
            self.leave()
            return
        self._deltas = 0
        self._first_at: float | None = None
        self._silence = 0.0
        self._sent_at = self._last_at = perf_counter()
        self._send(body, TEXT)

    def _send(self, data: bytes, opcode: int) -> None:
        size = len(data)
        length = bytes([128 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        self.transport.write(bytes([128 | opcode]) + length + NO_MASK + data)

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 127, 2
        if size > 125:
            width = 2 if size == 126 else 8
            start += width
            size = int.from_bytes(buffer[2:start]) if len(buffer) >= start else 1 << 62
        if len(buffer) < start + size:
            return None
        frame = buffer[0] & 15, bytes(buffer[start : start + size])
        del buffer[: start + size]
        return frame

    def _take(self, opcode: int, data: bytes) -> None:
        if opcode == PING:
            self._send(data, PONG)
        elif opcode == CLOSE:
            self.transport.close()
        elif not self.has_left:
            self._take_event(data)

    def _take_event(self, data: bytes) -> None:
        now = perf_counter()
        kind = TYPE.search(data)
        if kind is not None and kind[1] == self._end:
            self._finish(now)
        elif kind is not None and kind[1] == b"error":
            self.run.tally.fail("error frame")
            self.go_on()
        elif self.run.mark in data:
            self._deltas += 1
            if self._first_at is not None:
                self._silence = max(self._silence, now - self._last_at)
            elif self.run.first.search(data):
                self._first_at = now
            self._last_at = now

    def _finish(self, now: float) -> None:
        if self._deltas < self.run.load.least_deltas:
            self.run.tally.fail(f"{self._deltas} deltas")
        else:
            first = None if self._first_at is None else self._first_at - self._sent_at
            self.run.tally.reply(now - self._sent_at, first_delta=first, silence=self._silence, deltas=self._deltas)
        self.go_on()
