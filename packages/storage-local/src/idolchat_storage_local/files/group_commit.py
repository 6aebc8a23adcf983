"""Work on files in steps, so that many jobs can wait for the disk together."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import NamedTuple, Self

from idolchat_storage_local.files.disk import Disk

__all__ = ["FileSync", "FolderSync", "Job", "Locked", "Syncs", "run_alone", "run_together"]


class FileSync(NamedTuple):
    """Part of an open file that a job has written and wants on the disk; ``device`` is the file's ``st_dev``."""

    fd: int
    offset: int
    size: int
    device: int


class FolderSync(NamedTuple):
    """A folder whose names have changed; ``device`` is its ``st_dev`` where that is known."""

    path: str
    device: int | None = None


class Locked(NamedTuple):
    """A lock that a job wants to hold while it takes its next step; ``lock`` returns its context manager."""

    lock: Callable[[], AbstractContextManager[None]]


type _Wanted = FileSync | FolderSync

type Job[T] = Generator[_Wanted | Locked, None, T]
"""Yields what must be on the disk, or be locked, before it goes on."""

type _Waiting[T] = list[tuple[int, Job[T], _Wanted | Locked]]

_MANY = 8
"""From so many on it saves time to wait for them together, or to have all on their way before one is waited for."""
_EACH_S = 0.001
"""What one is taken to cost until that is known."""
_REST_S = 10.0


class Syncs:
    """Waits for the disk: for many at once by syncing their whole file system, for others one after another.

    What others write to that file system is waited for, too: where that took longer than syncing each alone, it is
    left for a while. The system reports a failed write to each open ``root`` once: an object is for one thread, from
    before it writes anything. Without a ``root``, all are waited for alone.
    """

    def __init__(self, disk: Disk, root: str | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._disk = disk
        self._clock = clock
        self._root: int | None = None
        self._device: int | None = None
        with suppress(OSError):  # it only saves time
            self._root = disk.open_whole(root) if root is not None else None
            self._device = disk.stat(self._root).st_dev if self._root is not None else None
        self._each_s = _EACH_S
        self._rests_until = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._root is not None:
            self._disk.close(self._root)

    def wait_for(self, all_wanted: Collection[_Wanted]) -> dict[_Wanted, OSError]:
        """Return when all is on the disk, but for what is returned, each with its error."""
        alone = [wanted for wanted in all_wanted if wanted.device != self._device]
        if len(all_wanted) - len(alone) < _MANY or not self._sync_whole(len(all_wanted) - len(alone)):
            alone = list(all_wanted)
        return self._sync_alone(alone) if alone else {}

    def _sync_whole(self, count: int) -> bool:
        started_at = self._clock()
        if self._root is None or started_at < self._rests_until:
            return False
        try:
            self._disk.sync_whole(self._root)
        except OSError:
            return False  # whose it is, each one's own sync tells
        ended_at = self._clock()
        if ended_at - started_at > count * self._each_s:
            self._rests_until = ended_at + _REST_S
        return True

    def _sync_alone(self, all_wanted: Sequence[_Wanted]) -> dict[_Wanted, OSError]:
        if len(all_wanted) >= _MANY:
            for wanted in all_wanted:
                if isinstance(wanted, FileSync):
                    with suppress(OSError):  # it only saves time
                        self._disk.start_sync(wanted.fd, wanted.offset, wanted.size)
        started_at = self._clock()
        failed = {wanted: error for wanted in all_wanted if (error := self._sync_one(wanted)) is not None}
        self._each_s += ((self._clock() - started_at) / len(all_wanted) - self._each_s) / 8
        return failed

    def _sync_one(self, wanted: _Wanted) -> OSError | None:
        try:
            if isinstance(wanted, FileSync):
                self._disk.sync(wanted.fd)
            else:
                self._disk.sync_folder(wanted.path)
        except OSError as error:
            return error
        return None


def run_together[T](syncs: Syncs, jobs: Sequence[Job[T]]) -> list[T | Exception]:
    """Run jobs to their ends, step by step together, with one wait for the disk a step; return results or errors.

    A lock is taken once for all that want it. A sync or a lock that fails is raised where its job waits for it.
    """
    outcomes: dict[int, T | Exception] = {}
    waiting = _advance(list(enumerate(jobs)), {}, outcomes)
    while waiting:
        locks = {wanted for _, _, wanted in waiting if isinstance(wanted, Locked)}
        waiting = _locked(locks.pop(), waiting, outcomes) if locks else _synced(syncs, waiting, outcomes)
    return [outcomes[index] for index in range(len(jobs))]


def run_alone[T](disk: Disk, job: Job[T]) -> T:
    """Run one job to its end and give its result; raise what it raises."""
    [outcome] = run_together(Syncs(disk), [job])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _locked[T](wanted: Locked, waiting: _Waiting[T], outcomes: dict[int, T | Exception]) -> _Waiting[T]:
    """Advance the jobs that want a lock while it is held, or tell them why it is not."""
    own = [(index, job) for index, job, theirs in waiting if theirs == wanted]
    failed: dict[int, Exception] = {}
    with ExitStack() as held:
        try:
            held.enter_context(wanted.lock())
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told
            failed = dict.fromkeys([index for index, _ in own], error)
        return [one for one in waiting if one[2] != wanted] + _advance(own, failed, outcomes)


def _synced[T](syncs: Syncs, waiting: _Waiting[T], outcomes: dict[int, T | Exception]) -> _Waiting[T]:
    failed = syncs.wait_for(dict.fromkeys(wanted for _, _, wanted in waiting if not isinstance(wanted, Locked)))
    errors = {index: failed[wanted] for index, _, wanted in waiting if wanted in failed}
    return _advance([(index, job) for index, job, _ in waiting], errors, outcomes)


def _advance[T](
    jobs: list[tuple[int, Job[T]]], failed: Mapping[int, Exception], outcomes: dict[int, T | Exception]
) -> _Waiting[T]:
    waiting: _Waiting[T] = []
    for index, job in jobs:
        try:
            wanted = job.throw(failed[index]) if index in failed else next(job)
        except StopIteration as end:
            outcomes[index] = end.value
        except Exception as error:  # noqa: BLE001 - whoever waits for this job is told, and the others go on
            outcomes[index] = error
        else:
            waiting.append((index, job, wanted))
    return waiting
