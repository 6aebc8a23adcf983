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
"""From so many on it saves time to have all on their way before one is waited for."""
_EACH_S = 0.001
"""What one of many is taken to cost until that is known."""
_WORTH_S = 0.001
"""What takes no longer is not worth trying another way, which waits for what others write, too."""
_AGAIN_S, _SELDOM_S = 10.0, 600.0
"""After how long the slower way is tried again, and at most: the pause doubles while it stays the slower one."""


class _Ways:
    """Which of two ways was the quicker one lately to wait for so many files: the whole file system, or each alone."""

    __slots__ = ("_alone_s", "_expected_s", "_other_at", "_pause_s", "_whole_s")

    def __init__(self, count: int, *, now: float) -> None:
        self._expected_s = count * _EACH_S if count >= _MANY else 0.0  # a few are waited for alone first
        self._alone_s: float | None = None
        self._whole_s: float | None = None
        self._pause_s = _AGAIN_S
        self._other_at = now + _AGAIN_S

    def chooses_whole(self, now: float) -> bool:
        """Return the quicker way, or once in a while the other one."""
        alone_s = self._expected_s if self._alone_s is None else self._alone_s
        if alone_s < _WORTH_S:
            return False
        if now < self._other_at:
            return self._is_whole_quicker(alone_s)
        self._pause_s = min(2 * self._pause_s, _SELDOM_S)
        self._other_at = now + self._pause_s
        return not self._is_whole_quicker(alone_s)

    def took(self, seconds: float, now: float, *, is_whole: bool) -> None:
        """Learn how long it took."""
        before = self._is_whole_quicker(self._alone_s or self._expected_s)
        if is_whole:
            self._whole_s = _mean(self._whole_s, seconds)
        else:
            self._alone_s = _mean(self._alone_s, seconds)
        if self._is_whole_quicker(self._alone_s or self._expected_s) is not before:
            self._pause_s, self._other_at = _AGAIN_S, now + _AGAIN_S

    def _is_whole_quicker(self, alone_s: float) -> bool:
        return self._whole_s is None or self._whole_s <= alone_s


def _mean(known: float | None, seconds: float) -> float:
    return seconds if known is None else known + (seconds - known) / 4


class Syncs:
    """Waits for the disk: for several files by syncing their whole file system, or for one after another.

    What others write to that file system is waited for, too, and a disk may take as long for all as for one: which
    way is the quicker one, for about so many files, is measured. The system reports a failed write to each open
    ``root`` once: an object is for one thread, from before it writes anything. Without a ``root``, all are waited for
    alone.
    """

    def __init__(self, disk: Disk, root: str | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._disk = disk
        self._clock = clock
        self._root: int | None = None
        self._device: int | None = None
        with suppress(OSError):  # it only saves time
            self._root = disk.open_whole(root) if root is not None else None
            self._device = disk.stat(self._root).st_dev if self._root is not None else None
        self._ways: dict[int, _Ways] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._root is not None:
            self._disk.close(self._root)

    def wait_for(self, all_wanted: Collection[_Wanted]) -> dict[_Wanted, OSError]:
        """Return when all is on the disk, but for what is returned, each with its error."""
        if len(all_wanted) == 1 or self._root is None:
            return self._sync_alone(all_wanted)
        alone = [wanted for wanted in all_wanted if wanted.device != self._device]
        count = len(all_wanted) - len(alone)
        if count < 2:
            return self._sync_alone(all_wanted)
        started_at = self._clock()
        ways = self._ways_for(count, started_at)
        if ways.chooses_whole(started_at) and self._is_whole_synced(self._root):
            self._note(ways, started_at, is_whole=True)
            return self._sync_alone(alone) if alone else {}
        failed = self._sync_alone(all_wanted)
        if not alone:
            self._note(ways, started_at, is_whole=False)
        return failed

    def _ways_for(self, count: int, now: float) -> _Ways:
        ways = self._ways.get(count.bit_length())
        if ways is None:
            ways = self._ways[count.bit_length()] = _Ways(count, now=now)
        return ways

    def _note(self, ways: _Ways, started_at: float, *, is_whole: bool) -> None:
        now = self._clock()
        ways.took(now - started_at, now, is_whole=is_whole)

    def _is_whole_synced(self, root: int) -> bool:
        try:
            self._disk.sync_whole(root)
        except OSError:
            return False  # whose it is, each one's own sync tells
        return True

    def _sync_alone(self, all_wanted: Collection[_Wanted]) -> dict[_Wanted, OSError]:
        if len(all_wanted) >= _MANY:
            for wanted in all_wanted:
                if isinstance(wanted, FileSync):
                    with suppress(OSError):  # it only saves time
                        self._disk.start_sync(wanted.fd, wanted.offset, wanted.size)
        return {wanted: error for wanted in all_wanted if (error := self._sync_one(wanted)) is not None}

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
    failed = syncs.wait_for(dict.fromkeys([wanted for _, _, wanted in waiting if not isinstance(wanted, Locked)]))
    errors = {index: failed[wanted] for index, _, wanted in waiting if wanted in failed} if failed else {}
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
