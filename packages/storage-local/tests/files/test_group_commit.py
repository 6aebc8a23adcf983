import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.group_commit import FileSync, Job, run_alone, run_together


class Counting(Disk):
    """Counts syncs, and fails those of one file."""

    def __init__(self) -> None:
        self.synced: list[int | str] = []
        self.bad_fd = -1

    def sync(self, fd: int) -> None:
        if fd == self.bad_fd:
            raise OSError("bad sector")
        self.synced.append(fd)
        super().sync(fd)

    def sync_folder(self, path: str) -> None:
        self.synced.append(path)
        super().sync_folder(path)


def write(path: Path, log: list[str]) -> Job[str]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.write(fd, b"text")
        log.append(f"{path.name} written")
        yield FileSync(fd, 0, 4)
        log.append(f"{path.name} synced")
        yield str(path.parent)
    finally:
        os.close(fd)
    return path.name


def test_all_jobs_take_a_step_before_the_disk_is_waited_for(tmp_path: Path) -> None:
    disk, log = Counting(), list[str]()
    results = run_together(disk, [write(tmp_path / name, log) for name in "abc"])

    assert results == ["a", "b", "c"]
    assert log == ["a written", "b written", "c written", "a synced", "b synced", "c synced"]


def test_threads_may_wait_for_the_disk(tmp_path: Path) -> None:
    disk, log = Counting(), list[str]()
    names = [str(number) for number in range(100)]
    with ThreadPoolExecutor() as syncing:
        results = run_together(disk, [write(tmp_path / name, log) for name in names], syncing=syncing)

    assert results == names
    assert len(disk.synced) == 101
    assert log == [*(f"{name} written" for name in names), *(f"{name} synced" for name in names)]


def test_a_folder_is_synced_once_for_all_who_wait_for_it(tmp_path: Path) -> None:
    disk = Counting()
    run_together(disk, [write(tmp_path / name, []) for name in "abc"])

    assert disk.synced.count(str(tmp_path)) == 1
    assert len(disk.synced) == 4


def test_a_sync_that_fails_concerns_its_own_job_only(tmp_path: Path) -> None:
    def unlucky(disk: Counting) -> Job[str]:
        fd = os.open(tmp_path / "bad", os.O_RDWR | os.O_CREAT)
        disk.bad_fd = fd
        try:
            yield FileSync(fd, 0, 0)
        finally:
            os.close(fd)
        return "never"

    disk, log = Counting(), list[str]()
    good, bad = run_together(disk, [write(tmp_path / "good", log), unlucky(disk)])

    assert good == "good"
    assert isinstance(bad, OSError)


def test_a_job_alone_raises_what_goes_wrong_in_it() -> None:
    def wrong() -> Job[None]:
        yield from ()
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        run_alone(Disk(), wrong())
