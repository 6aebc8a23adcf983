"""The pool of connections to one server."""

from __future__ import annotations

import asyncio

from idolchat_llm_openrouter.http.connection import HTTPConnection
from idolchat_llm_openrouter.http.connector import Connector
from idolchat_llm_openrouter.transport import TransportError

__all__ = ["Pool"]

KEEP_ALIVE_S = 60.0


class Pool:
    """Keeps free connections for a while; any number can be in use.

    The connection that became free last is used first, so that surplus ones grow old and are closed.
    """

    def __init__(self, connector: Connector, *, connect_timeout_s: float, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._connector = connector
        self._connect_timeout_s = connect_timeout_s
        self._keep_alive_s = keep_alive_s
        self._loop = asyncio.get_running_loop()
        self._open: set[HTTPConnection] = set()
        self._free: dict[HTTPConnection, float] = {}  # since when, oldest first
        self._sweeping: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None  # is wanted once the pool is closed

    def take(self) -> HTTPConnection | None:
        """Return a free connection, or None."""
        return self._free.popitem()[0] if self._free else None

    async def connect(self) -> HTTPConnection:
        """Open a connection, TLS included. Raises ``TransportError``, also when the time for it is over."""
        connection = HTTPConnection(self)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self._connector.open(connection)
        except TimeoutError:
            self._give_up(connection)
            raise TransportError(f"no connection within {self._connect_timeout_s:g} s") from None
        except BaseException:
            self._give_up(connection)
            raise
        return connection

    def _give_up(self, connection: HTTPConnection) -> None:
        """Drop a connection that did not open; uvloop may close one without telling it."""
        connection.abort()
        self.gone(connection)

    async def close(self) -> None:
        """Close all connections and wait until they are closed."""
        self._emptied = self._loop.create_future()
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self._open):
            connection.abort()
        if self._open:
            await self._emptied

    # What connections tell

    def opened(self, connection: HTTPConnection) -> None:
        self._open.add(connection)

    def free(self, connection: HTTPConnection) -> None:
        if self._emptied is not None:
            connection.abort()
            return
        self._free[connection] = self._loop.time()
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(self._keep_alive_s, self._sweep)

    def lost(self, connection: HTTPConnection) -> None:
        self._free.pop(connection, None)

    def gone(self, connection: HTTPConnection) -> None:
        self._open.discard(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)

    def _sweep(self) -> None:
        """Close connections that were free for too long, and schedule the next sweep."""
        self._sweeping = None
        now = self._loop.time()
        for connection, since in list(self._free.items()):
            if since + self._keep_alive_s > now:
                self._sweeping = self._loop.call_at(since + self._keep_alive_s, self._sweep)
                break
            connection.abort()
