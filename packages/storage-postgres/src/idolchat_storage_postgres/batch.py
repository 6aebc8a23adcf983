"""What waits at one moment is written in one statement.

A statement a call costs seven times as much, most of it for waking up. While one is written, what comes of the same
kind waits and goes together; on a connection that is free only where it is much already, for two statements of half as
many cost more than one. Where some have come together, the next statement of the kind waits a few milliseconds from the
beginning of the last, so that no fewer come together when the database is quick.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from idolchat_core import DocumentRefused, StorageUnavailable
from idolchat_storage_postgres.database import Connection, Database, Session

__all__ = ["BatchedStatement", "Batches"]

_MOST, _MUCH, _SOME = 256, 64, 4
_MOST_BYTES = 4 * 1024 * 1024
EXPIRES_AFTER_S, _LOOK_EVERY_S = 10.0, 1.0


class BatchedStatement[O, R]:
    """A statement that does many operations at once, each for itself.

    ``run`` returns what became of each, in order; an error among that is raised by the call that it belongs to.
    ``size_of`` tells how many bytes one takes. What is not ``is_repeatable`` is done again only where it has certainly
    not been done. A call of what ``expires`` that is not answered in time fails.
    """

    def __init__(
        self,
        run: Callable[[Connection, Sequence[O]], Awaitable[Sequence[R | Exception]]],
        *,
        is_repeatable: bool = True,
        size_of: Callable[[O], int] = lambda _: 0,
        expires: bool = False,
        apart_s: float = 0.0,
    ) -> None:
        self.run = run
        self.is_repeatable = is_repeatable
        self.size_of = size_of
        self.expires = expires
        self.apart_s = apart_s


type _Waiting = tuple[Any, asyncio.Future[Any]]


class Batches:
    """Takes operations, and sends them together.

    Each of ``sessions`` is used by one statement at a time; they are closed at the end. What expires does so after
    ``expires_after_s``, up to a second later.
    """

    def __init__(
        self, database: Database, sessions: Sequence[Session], *, expires_after_s: float = EXPIRES_AFTER_S
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._expires_after_s = expires_after_s
        self._idle = list(sessions)
        self._running: list[BatchedStatement[Any, Any]] = []
        self._pausing: set[BatchedStatement[Any, Any]] = set()
        self._waiting: dict[BatchedStatement[Any, Any], list[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._expiring: deque[tuple[float, asyncio.Future[Any]]] = deque()
        """Calls, and until when they wait."""
        self._looking: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def ask[O, R](self, statement: BatchedStatement[O, R], operation: O) -> R:
        """Do an operation, with others that wait. Raises ``StorageUnavailable``, and what the statement raises for it.

        A call that is cancelled while it waits is not made; later it has happened or not.
        """
        if self._is_closed:
            raise StorageUnavailable("this storage is closed")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(statement, [])
        waiting.append((operation, future))
        if statement.expires:
            self._expire(future)
        self._begin(statement)
        return await future

    async def close(self) -> None:
        """Finish what was asked for."""
        self._is_closed = True
        for statement in list(self._pausing):
            self._go_on(statement)
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._looking is not None:
            self._looking.cancel()
        for session in self._sessions:
            await session.close()

    def _expire(self, future: asyncio.Future[Any]) -> None:
        """Let a call wait for so long only. One timer serves all, for one each costs more than the rest of a call."""
        loop = asyncio.get_running_loop()
        self._expiring.append((loop.time() + self._expires_after_s, future))
        if self._looking is None:
            self._looking = loop.call_later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        loop, calls = asyncio.get_running_loop(), self._expiring
        now = loop.time()
        while calls:
            until, future = calls[0]
            if not future.done():
                if until > now:
                    break
                future.set_exception(StorageUnavailable("the database did not answer in time"))
            calls.popleft()
        self._looking = loop.call_later(_LOOK_EVERY_S, self._look) if calls else None

    def _begin(self, statement: BatchedStatement[Any, Any]) -> None:
        """Send what waits for a statement, where that may be now."""
        if self._idle and self._may_run(statement):
            self._running.append(statement)
            task = asyncio.create_task(self._send(self._idle.pop(), statement))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _may_run(self, statement: BatchedStatement[Any, Any]) -> bool:
        is_free = statement not in self._running and statement not in self._pausing
        return is_free or len(self._waiting[statement]) >= _MUCH

    def _pause(self, statement: BatchedStatement[Any, Any], began_at: float) -> None:
        loop, until = asyncio.get_running_loop(), began_at + statement.apart_s
        if until > loop.time() and not self._is_closed:
            self._pausing.add(statement)
            loop.call_at(until, self._go_on, statement)

    def _go_on(self, statement: BatchedStatement[Any, Any]) -> None:
        self._pausing.discard(statement)
        if statement in self._waiting:
            self._begin(statement)

    async def _send(self, session: Session, statement: BatchedStatement[Any, Any] | None) -> None:
        """Send what waits for a statement, which counts as running, and then for others, until nothing may be sent."""
        try:
            while statement is not None:
                if taken := self._taken(statement):
                    began_at = asyncio.get_running_loop().time()
                    await self._do(session, statement, taken)
                    if len(taken) >= _SOME:
                        self._pause(statement, began_at)
                self._running.remove(statement)
                statement = next(filter(self._may_run, self._waiting), None)
                if statement is not None:
                    self._running.append(statement)
        finally:
            self._idle.append(session)

    def _taken(self, statement: BatchedStatement[Any, Any]) -> list[_Waiting]:
        """Take what waits for a statement, as much as fits into one."""
        waiting = self._waiting.pop(statement, [])
        taken: list[_Waiting] = []
        size = 0
        for one in waiting[:_MOST]:
            size += statement.size_of(one[0])
            if taken and size > _MOST_BYTES:
                break
            taken.append(one)
        if rest := waiting[len(taken) :]:
            self._waiting[statement] = rest  # behind the others
        return [one for one in taken if not one[1].done()]

    async def _do(self, session: Session, statement: BatchedStatement[Any, Any], taken: Sequence[_Waiting]) -> None:
        operations = [operation for operation, _ in taken]
        results: Sequence[object]
        try:
            results = await self._database.run(
                lambda connection: statement.run(connection, operations),
                session=session,
                is_repeatable=statement.is_repeatable,
            )
        except DocumentRefused as error:
            if len(taken) > 1:  # one of them spoils it for all: which, shows where each is done alone
                for one in taken:
                    await self._do(session, statement, [one])
                return
            results = [error]
        except Exception as error:  # noqa: BLE001  whoever asked is told, whatever it is
            results = [error] * len(taken)
        for (_, future), result in zip(taken, results, strict=True):
            _tell(future, result)


def _tell(future: asyncio.Future[Any], result: object) -> None:
    if future.done():
        return  # whoever asked has left
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
