"""Connections to one database, how their errors are told, and what is tried again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from idolchat_core import DocumentRefused, StorageUnavailable
from idolchat_storage_postgres.settings import PostgresSettings

__all__ = ["ERRORS", "PATIENCE_S", "Connection", "Database", "Session", "is_lost", "unavailable"]

log = logging.getLogger(__name__)

type Connection = asyncpg.Connection[asyncpg.Record]

ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What the driver raises when something is wrong with the database or the way to it."""

PATIENCE_S = 10.0
"""How long what may be done again is tried again: a server that is restarted, or a standby that takes over."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0
_CLOSE_WITHIN_S = 2.0

_SET_UP = """
select set_config('search_path', 'pg_catalog', false), set_config('timezone', 'UTC', false),
  set_config('jit', 'off', false), set_config('tcp_keepalives_idle', '10', false),
  set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false),
  set_config('idle_in_transaction_session_timeout', '10s', false),
  set_config('synchronous_commit', case when not $1::bool then 'off' when s = 'off' then 'on' else s end, false),
  set_config('enable_seqscan', case when $2::bool then 'off' else current_setting('enable_seqscan') end, false),
  set_config('plan_cache_mode', case when $2::bool then 'force_generic_plan' else 'auto' end, false)
from (select current_setting('synchronous_commit')) x(s)
"""

_LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was told of the server's end while nothing was asked of it
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a primary that has become a standby
)
_NOT_DONE = (asyncpg.TransactionRollbackError, asyncpg.CannotConnectNowError, asyncpg.ReadOnlySQLTransactionError)
"""After these, the server has certainly not done what it was asked."""
_REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError, ValueError)
"""What was given cannot be stored; as ``ValueError``, the driver says so itself."""


class Session:
    """One connection: made when it is needed, and anew when it was lost. It serves one caller at a time.

    Without ``waits_for_disk``, what it commits may be lost with the machine, all or nothing. ``by_key`` says that its
    statements find rows by their keys alone, and are planned once, for planning takes longer than they do: not as
    suits a table that is small at that moment, for a plan that reads all of it would be kept while it grows.
    """

    def __init__(self, settings: PostgresSettings, *, waits_for_disk: bool = True, by_key: bool = False) -> None:
        self._settings = settings
        self._waits_for_disk = waits_for_disk
        self._by_key = by_key
        self._connection: Connection | None = None

    async def connection(self) -> Connection:
        """Return the connection, which is made if need be. Raises one of ``ERRORS``."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connected()
        return self._connection

    def drop(self) -> None:
        """Close the connection as lost."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with suppress(*ERRORS):
                await self._connection.close(timeout=_CLOSE_WITHIN_S)
            self._connection = None

    async def _connected(self) -> Connection:
        connection: Connection = await asyncpg.connect(
            self._settings.address,
            timeout=self._settings.connect_timeout_s,
            command_timeout=self._settings.timeout_s,
            server_settings={"application_name": "idolchat"},
        )
        try:
            await connection.execute(_SET_UP, self._waits_for_disk, self._by_key)
        except BaseException:
            connection.terminate()
            raise
        return connection


class Database:
    """Runs statements on whichever of its sessions is free, or on one that the caller has for itself."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.settings = settings
        self._free = asyncio.Semaphore(settings.connections)
        self._idle: list[Session] = []
        self._is_closed = False

    def session(self, *, waits_for_disk: bool = True, by_key: bool = False) -> Session:
        """Return a session that its caller closes."""
        return Session(self.settings, waits_for_disk=waits_for_disk, by_key=by_key)

    async def run[T](
        self,
        work: Callable[[Connection], Awaitable[T]],
        *,
        session: Session | None = None,
        is_repeatable: bool = True,
        patience_s: float = PATIENCE_S,
    ) -> T:
        """Do something on a connection, and again where that failed in passing. Raises ``StorageUnavailable``.

        What is not ``is_repeatable`` is done again only where it has certainly not been done. Being cancelled costs the
        connection.
        """
        if self._is_closed:
            raise StorageUnavailable("this storage is closed")
        if session is not None:
            return await self._tried(work, session, is_repeatable=is_repeatable, patience_s=patience_s)
        async with self._borrowed() as one:
            return await self._tried(work, one, is_repeatable=is_repeatable, patience_s=patience_s)

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        """Return the rows of a statement that may be repeated. Raises ``StorageUnavailable``."""
        return await self.run(lambda connection: connection.fetch(query, *args))

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None:
        """Return the first row of a statement that may be repeated. Raises ``StorageUnavailable``."""
        return await self.run(lambda connection: connection.fetchrow(query, *args))

    async def fetchval(self, query: str, *args: object) -> Any:
        """Return the first value of a statement that may be repeated. Raises ``StorageUnavailable``."""
        return await self.run(lambda connection: connection.fetchval(query, *args))

    async def close(self) -> None:
        """Close the sessions that nobody uses; one in use is closed when it comes back."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncGenerator[Session]:
        async with self._free:
            session = self._idle.pop() if self._idle else self.session()
            try:
                yield session
            finally:
                if self._is_closed:
                    session.drop()
                else:
                    self._idle.append(session)

    async def _tried[T](
        self,
        work: Callable[[Connection], Awaitable[T]],
        session: Session,
        *,
        is_repeatable: bool,
        patience_s: float,
    ) -> T:
        now = asyncio.get_running_loop().time
        ends_at, wait_s = now() + patience_s, _FIRST_WAIT_S
        while True:
            has_begun = False
            try:
                connection = await session.connection()
                has_begun = True
                return await work(connection)
            except asyncio.CancelledError:  # it may have begun a transaction, in which the next caller would be
                session.drop()
                raise
            except ERRORS as error:
                if is_lost(error):
                    session.drop()
                is_certain = not has_begun or isinstance(error, _NOT_DONE)
                if not (_is_passing(error) and (is_repeatable or is_certain)) or now() >= ends_at:
                    # Not with its cause, whose details may hold what somebody has said.
                    raise unavailable(error, self.settings) from None
                log.warning("the database failed in passing", extra={"reason": _name(error)})
            await asyncio.sleep(wait_s * random.uniform(0.5, 1))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def is_lost(error: BaseException) -> bool:
    """Whether the connection on which an error came is of no use any more."""
    return isinstance(error, _LOST) and not isinstance(error, ValueError)


def unavailable(error: BaseException, settings: PostgresSettings) -> StorageUnavailable:
    """Return the driver's error as ours, without what was to be written.

    It is a ``DocumentRefused`` where the database is well, and does not take what it was given.
    """
    where = settings.where
    if isinstance(error, _REFUSED):
        return DocumentRefused(f"the database {where} does not take what it was given: {_name(error)}")
    if isinstance(error, asyncpg.DiskFullError):
        return StorageUnavailable(f"the disk of the database {where} is full")
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return StorageUnavailable(f"the database {where} does not allow it: {error.args[0]}")
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return StorageUnavailable(
            f"the database {where} has no connection left; raise its max_connections, or lower"
            " IDOLCHAT_POSTGRES_CONNECTIONS"
        )
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
        return StorageUnavailable(f"the database {where} did not answer in time")
    if isinstance(error, _LOST):
        return StorageUnavailable(f"the database {where} cannot be reached: {_name(error)}")
    return StorageUnavailable(f"the database {where} failed: {_name(error)}")


def _is_passing(error: BaseException) -> bool:
    return is_lost(error) or isinstance(error, (*_NOT_DONE, asyncpg.TooManyConnectionsError))


def _name(error: BaseException) -> str:
    """Name an error; its text only where that holds nothing that somebody has said."""
    if isinstance(error, asyncpg.PostgresError) and not is_lost(error):
        return f"{type(error).__name__} ({error.sqlstate})"
    return str(error) if isinstance(error, OSError) and error.errno else type(error).__name__
