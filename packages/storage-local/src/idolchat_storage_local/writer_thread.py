"""One thread that writes: it takes whatever is asked for, and waits for the disk once for all of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import batched
from queue import SimpleQueue
from typing import Any, NamedTuple, overload

from idolchat_core import StorageUnavailable, WorkerThreads
from idolchat_storage_local.files.disk import unavailable
from idolchat_storage_local.files.document_file import Append, Update
from idolchat_storage_local.files.group_commit import Job, Syncs, run_together
from idolchat_storage_local.files.log_files import AddLines, Logs
from idolchat_storage_local.files.open_files import Files, NeedsSlowPath
from idolchat_storage_local.files.writing import change

__all__ = ["Writer"]


_MAX_BATCH = 128
"""As many files may be open at a time."""
_CHANGES = (Append, Update)

type _Key = int | tuple[str, str]
"""What may be done at once has the same: the number of a conversation's id, or a log; a job's own is below zero."""

type _What = Append | Update | AddLines | Callable[[], Job[Any]]

type _Result = Exception | str | None
"""What a change raises, or the revision after it."""


class _Asked(NamedTuple):
    """Something to do, and who waits for it."""

    future: asyncio.Future[Any]
    what: _What
    key: _Key


type _Told = list[tuple[asyncio.Future[Any], _Result]]


class Writer:
    """Runs jobs in batches, in the order in which they were asked for.

    What is asked for in one round of the event loop, such as a turn's message and its line in the ledger, is handed to
    the thread at its end: that wakes it once, and the disk is waited for together.
    A file that takes more than a moment (locked by others, to be mended, to be adopted) is left to ``readers``.
    """

    def __init__(self, files: Files, logs: Logs, readers: WorkerThreads, loop: asyncio.AbstractEventLoop) -> None:
        self._files = files
        self._logs = logs
        self._readers = readers
        self._loop = loop
        self._syncs = Syncs(files.disk, files.folder.root)
        self._lock = threading.Lock()
        self._is_closed = False
        self._asked: list[_Asked] = []
        self._queue: SimpleQueue[Sequence[_Asked] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="idolchat-writer", daemon=True)
        self._thread.start()

    @overload
    def change(self, what: Update) -> asyncio.Future[str]: ...
    @overload
    def change(self, what: Append) -> asyncio.Future[str | None]: ...
    def change(self, what: Append | Update) -> asyncio.Future[Any]:
        """Ask for a change to a conversation's file; see ``writing.change`` for the result."""
        return self._ask(what, what.conversation_id.int)

    def ask[T](self, job: Callable[[], Job[T]]) -> asyncio.Future[T]:
        """Ask for a job, and have its result."""
        return self._ask(job, -id(job))

    def add_lines(self, lines: AddLines) -> asyncio.Future[None]:
        """Ask for lines in a log."""
        return self._ask(lines, lines[:2])

    def _ask(self, what: _What, key: _Key) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._lock:
            if self._is_closed:
                raise StorageUnavailable("this storage is closed")
            if not self._asked:
                self._loop.call_soon(self._hand_over)
            self._asked.append(_Asked(future, what, key))
        return future

    def _hand_over(self) -> None:
        with self._lock:
            if self._asked:  # unless it was closed meanwhile
                self._queue.put(self._asked)
                self._asked = []

    def close(self) -> None:
        """Finish what was asked for, and stop the thread."""
        with self._lock:
            self._is_closed = True
            self._queue.put(self._asked)
            self._queue.put(None)
            self._asked = []
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        with self._syncs:
            while is_open:
                rounds = [self._queue.get()]
                rounds += [self._queue.get() for _ in range(self._queue.qsize())]
                is_open = rounds[-1] is not None
                # Who was cancelled meanwhile has not asked for anything.
                wanted = [asked for asks in rounds for asked in asks or () if not asked.future.cancelled()]
                for batch in batched(wanted, _MAX_BATCH):
                    self._do(batch)

    def _do(self, batch: Sequence[_Asked]) -> None:
        groups: dict[_Key, list[_Asked]] = {}
        for asked in batch:
            groups.setdefault(asked.key, []).append(asked)
        together = list(groups.values())
        outcomes = run_together(self._syncs, [self._job(group, patient=False) for group in together])
        told: _Told = []
        for group, outcome in zip(together, outcomes, strict=True):
            if isinstance(outcome, NeedsSlowPath):
                self._readers.submit(partial(self._do_with_care, group))
            else:
                told += _answers(group, outcome)
        self._tell(told)

    def _do_with_care(self, group: Sequence[_Asked]) -> None:
        [outcome] = run_together(Syncs(self._files.disk), [self._job(group, patient=True)])
        self._tell(_answers(group, outcome))

    def _job(self, group: Sequence[_Asked], *, patient: bool) -> Job[list[_Result]]:
        first = group[0].what
        if isinstance(first, AddLines):
            added = [asked.what for asked in group if isinstance(asked.what, AddLines)]
            return _without_error(lambda: self._logs.add(added), count=len(added))
        if not isinstance(first, _CHANGES):
            return _without_error(first)
        changes = [asked.what for asked in group if isinstance(asked.what, _CHANGES)]
        return change(self._files, first.conversation_id, changes, patient=patient)

    def _tell(self, told: _Told) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_deliver, told)


def _without_error(what: Callable[[], Job[Any]], *, count: int = 1) -> Job[list[_Result]]:
    result = yield from what()
    return [result] * count


def _answers(group: Sequence[_Asked], outcome: list[_Result] | Exception) -> _Told:
    if isinstance(outcome, OSError):
        return [(asked.future, unavailable(outcome)) for asked in group]
    if isinstance(outcome, Exception):
        return [(asked.future, outcome) for asked in group]
    return [(asked.future, result) for asked, result in zip(group, outcome, strict=True)]


def _deliver(told: _Told) -> None:
    for future, result in told:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
