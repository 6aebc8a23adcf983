"""Work on files in steps, so that many jobs can wait for the disk together."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from idolchat_storage_local.files.disk import Disk

__all__ = ["SYNCING", "FileSync", "Job", "run_alone", "run_together"]


class FileSync(NamedTuple):
    """Part of an open file that a job has written and wants on the disk."""

    fd: int
    offset: int
    size: int


type Job[T] = Generator[FileSync | str, None, T]
"""Yields what must be on the disk before it goes on: part of a file, or the path of a folder whose names changed."""

_WORTH_STARTING = 8
"""From so many files on it saves time to have all of them on their way before the first is waited for."""

SYNCING = 16
"""How many syncs are waited for at once, where there are threads for it."""

type _Waiting[T] = list[tuple[int, Job[T], FileSync | str]]


def run_together[T](disk: Disk, jobs: Sequence[Job[T]], *, syncing: Executor | None = None) -> list[T | Exception]:
    """Run jobs to their ends, step by step together, with one wait for the disk a step; return results or errors.

    A sync that fails is raised where its job waits for it. They are waited for one after another, or by the threads of
    ``syncing``: those that wait at once share a flush of the disk's cache, which pays where there are very many.
    """
    outcomes: dict[int, T | Exception] = {}
    waiting = _advance(list(enumerate(jobs)), {}, outcomes)
    while waiting:
        failed = _sync(disk, waiting, syncing)
        waiting = _advance([(index, job) for index, job, _ in waiting], failed, outcomes)
    return [outcomes[index] for index in range(len(jobs))]


def run_alone[T](disk: Disk, job: Job[T]) -> T:
    """Run one job to its end and return its result; raise what it raises."""
    [outcome] = run_together(disk, [job])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _advance[T](
    jobs: list[tuple[int, Job[T]]], failed: dict[int, OSError], outcomes: dict[int, T | Exception]
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


def _sync[T](disk: Disk, waiting: _Waiting[T], syncing: Executor | None) -> dict[int, OSError]:
    if len(waiting) >= _WORTH_STARTING:
        for _, _, wanted in waiting:
            if isinstance(wanted, FileSync):
                with suppress(OSError):  # it only saves time
                    disk.start_sync(*wanted)
    every = list(dict.fromkeys(wanted for _, _, wanted in waiting))
    shares = [every[start::SYNCING] for start in range(SYNCING)] if syncing is not None else [every]
    synced = map if syncing is None else syncing.map
    results = {wanted: error for some in synced(partial(_sync_some, disk), shares) for wanted, error in some}
    return {index: error for index, _, wanted in waiting if (error := results[wanted]) is not None}


def _sync_some(disk: Disk, some: Sequence[FileSync | str]) -> list[tuple[FileSync | str, OSError | None]]:
    return [(wanted, _sync_one(disk, wanted)) for wanted in some]


def _sync_one(disk: Disk, wanted: FileSync | str) -> OSError | None:
    try:
        if isinstance(wanted, FileSync):
            disk.sync(wanted.fd)
        else:
            disk.sync_folder(wanted)
    except OSError as error:
        return error
    return None
