"""A way to a server that can be cut, and that can lose what the server says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Self

__all__ = ["Proxy"]


class Proxy:
    """Hands bytes on between clients and a port of loopback."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self._loses_answers = False
        self._answers, self._is_answered = 0, asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncGenerator[Self]:
        """Open one."""
        proxy = cls(port)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            proxy.cut()

    def cut(self) -> None:
        """Close all connections."""
        for connection in list(self._connections):
            connection.cancel()

    def stall(self) -> None:
        """Hand nothing on, and close nothing."""
        self._may_pass.clear()

    def go_on(self) -> None:
        """Hand on what waits, and all that comes."""
        self._loses_answers = False
        self._may_pass.set()

    async def answered(self, times: int) -> None:
        """Wait until the server has answered so many times more."""
        wanted = self._answers + times
        async with asyncio.timeout(60):
            while self._answers < wanted:
                self._is_answered.clear()
                await self._is_answered.wait()

    async def lose_answers(self, count: int) -> None:
        """Hand on what clients say, lose so many answers, and cut the connections then."""
        self._loses_answers = True
        await self.answered(count)
        self.cut()
        self._loses_answers = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        writers = [writer]
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._to)
            writers.append(there)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, there, is_answer=False))
                group.create_task(self._copy(there_reader, writer, is_answer=True))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            for each in writers:
                each.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        while data := await reader.read(65536):
            await self._may_pass.wait()
            if is_answer:
                self._answers += 1
                self._is_answered.set()
            if is_answer and self._loses_answers:
                continue
            writer.write(data)
            with suppress(ConnectionError):
                await writer.drain()
        raise ConnectionResetError
