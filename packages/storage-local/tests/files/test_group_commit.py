import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.group_commit import FileSync, FolderSync, Job, Locked, Syncs, run_alone, run_together

MANY = [str(number) for number in range(20)]


class Counting(Disk):
    """Counts syncs, and fails those of one file, or those of all files at once; can sync any file system."""

    def __init__(self) -> None:
        self.synced: list[int | str] = []
        self.whole = 0
        self.bad_fd = -1
        self.is_whole_bad = False

    def sync(self, fd: int) -> None:
        if fd == self.bad_fd:
            raise OSError("bad sector")
        self.synced.append(fd)
        super().sync(fd)

    def sync_folder(self, path: str) -> None:
        self.synced.append(path)
        super().sync_folder(path)

    def open_whole(self, path: str) -> int | None:
        return os.open(path, os.O_RDONLY)

    def sync_whole(self, fd: int) -> None:
        if self.is_whole_bad:
            raise OSError(errno.EIO, "some file could not be written")
        self.whole += 1


def device_of(path: Path) -> int:
    return path.stat().st_dev


def write(path: Path, log: list[str]) -> Job[str]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.write(fd, b"text")
        log.append(f"{path.name} written")
        yield FileSync(fd, 0, 4, device_of(path))
        log.append(f"{path.name} synced")
        yield FolderSync(str(path.parent), device_of(path.parent))
    finally:
        os.close(fd)
    return path.name


def unlucky(disk: Counting, path: Path) -> Job[str]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    disk.bad_fd = fd
    try:
        yield FileSync(fd, 0, 0, device_of(path))
    finally:
        os.close(fd)
    return "never"


def test_all_jobs_take_a_step_before_the_disk_is_waited_for(tmp_path: Path) -> None:
    log = list[str]()
    results = run_together(Syncs(Counting()), [write(tmp_path / name, log) for name in "abc"])

    assert results == ["a", "b", "c"]
    assert log == ["a written", "b written", "c written", "a synced", "b synced", "c synced"]


def test_a_folder_is_synced_once_for_all_who_wait_for_it(tmp_path: Path) -> None:
    disk = Counting()
    run_together(Syncs(disk), [write(tmp_path / name, []) for name in "abc"])

    assert disk.synced.count(str(tmp_path)) == 1
    assert len(disk.synced) == 4


def test_many_files_are_synced_by_one_call(tmp_path: Path) -> None:
    disk, log = Counting(), list[str]()
    with Syncs(disk, str(tmp_path)) as syncs:
        results = run_together(syncs, [write(tmp_path / name, log) for name in MANY])

    assert results == MANY
    assert (disk.whole, disk.synced) == (1, [str(tmp_path)])
    assert log == [*(f"{name} written" for name in MANY), *(f"{name} synced" for name in MANY)]


class Timed(Counting):
    """Takes so long to sync a file, and all of them, by the clock ``now``."""

    def __init__(self, *, each_s: float, whole_s: float) -> None:
        super().__init__()
        self.now = 0.0
        self.each_s, self.whole_s = each_s, whole_s

    def clock(self) -> float:
        return self.now

    def sync(self, fd: int) -> None:
        super().sync(fd)
        self.now += self.each_s

    def sync_whole(self, fd: int) -> None:
        super().sync_whole(fd)
        self.now += self.whole_s


def wait_for_two(disk: Timed, root: Path, *, times: int) -> None:
    with Syncs(disk, str(root), clock=disk.clock) as syncs:
        for _ in range(times):
            run_together(syncs, [write(root / name, []) for name in "ab"])


def test_few_files_are_synced_by_one_call_where_each_alone_takes_longer(tmp_path: Path) -> None:
    disk = Timed(each_s=0.005, whole_s=0.006)
    wait_for_two(disk, tmp_path, times=4)

    assert disk.whole == 3  # the first time showed how long each takes
    assert len(disk.synced) == 2 + 4  # the folder is waited for by itself


def test_few_files_are_synced_each_alone_where_one_call_takes_longer(tmp_path: Path) -> None:
    disk = Timed(each_s=0.005, whole_s=2.0)
    wait_for_two(disk, tmp_path, times=4)

    assert disk.whole == 1
    assert len(disk.synced) == 3 * 2 + 4


def test_few_files_on_a_quick_disk_do_not_wait_for_what_others_write(tmp_path: Path) -> None:
    disk = Timed(each_s=0.0001, whole_s=2.0)
    wait_for_two(disk, tmp_path, times=4)

    assert disk.whole == 0


def test_a_slow_way_is_tried_less_and_less_often(tmp_path: Path) -> None:
    disk = Timed(each_s=0.005, whole_s=2.0)
    with Syncs(disk, str(tmp_path), clock=disk.clock) as syncs:
        for _ in range(1000):
            run_together(syncs, [write(tmp_path / name, []) for name in "ab"])
            disk.now += 1.0

    assert 3 < disk.whole < 10


def test_where_a_file_system_cannot_be_relied_on_many_are_synced_each_alone(tmp_path: Path) -> None:
    class Unreliable(Counting):
        def open_whole(self, path: str) -> None:
            return None

    disk = Unreliable()
    with Syncs(disk, str(tmp_path)) as syncs:
        run_together(syncs, [write(tmp_path / name, []) for name in MANY])

    assert len(disk.synced) == 21


def named(path: Path, log: list[str], lock: Callable[[], AbstractContextManager[None]]) -> Job[str]:
    yield from write(path, [])
    try:
        yield Locked(lock)
    except TimeoutError:
        log.append(f"{path.name} refused")
        raise
    log.append(f"{path.name} named")
    yield FolderSync(str(path.parent))
    return path.name


def test_a_lock_is_taken_once_for_all_who_want_it_and_not_held_while_the_disk_is_waited_for(tmp_path: Path) -> None:
    disk, log = Counting(), list[str]()

    @contextmanager
    def lock() -> Iterator[None]:
        before = len(disk.synced)
        log.append("locked")
        yield
        assert len(disk.synced) == before
        log.append("unlocked")

    jobs = [write(tmp_path / "x", []), *(named(tmp_path / name, log, lock) for name in "abc")]
    results = run_together(Syncs(disk), jobs)

    assert results == ["x", "a", "b", "c"]
    assert log == ["locked", "a named", "b named", "c named", "unlocked"]


def test_that_a_lock_cannot_be_had_is_told_to_all_who_want_it(tmp_path: Path) -> None:
    def lock() -> AbstractContextManager[None]:
        raise TimeoutError("another process has it")

    log = list[str]()
    good, *bad = run_together(
        Syncs(Counting()), [write(tmp_path / "x", []), *(named(tmp_path / name, log, lock) for name in "ab")]
    )

    assert good == "x"
    assert [type(error) for error in bad] == [TimeoutError, TimeoutError]
    assert log == ["a refused", "b refused"]


def test_a_sync_that_fails_concerns_its_own_job_only(tmp_path: Path) -> None:
    disk = Counting()
    good, bad = run_together(Syncs(disk), [write(tmp_path / "good", []), unlucky(disk, tmp_path / "bad")])

    assert good == "good"
    assert isinstance(bad, OSError)


def test_a_failed_sync_of_all_is_told_to_whom_it_concerns(tmp_path: Path) -> None:
    disk = Counting()
    disk.is_whole_bad = True
    jobs = [*(write(tmp_path / name, []) for name in MANY), unlucky(disk, tmp_path / "bad")]
    with Syncs(disk, str(tmp_path)) as syncs:
        *good, bad = run_together(syncs, jobs)

    assert good == MANY
    assert isinstance(bad, OSError)
    assert "bad sector" in str(bad)


def test_a_sync_of_all_that_is_slow_is_left_for_a_while(tmp_path: Path) -> None:
    disk = Timed(each_s=0.001, whole_s=5.0)
    with Syncs(disk, str(tmp_path), clock=disk.clock) as syncs:
        for _ in range(3):
            run_together(syncs, [write(tmp_path / name, []) for name in MANY])
        disk.now += 11.0
        run_together(syncs, [write(tmp_path / name, []) for name in MANY])

    assert disk.whole == 2
    assert len(disk.synced) == 4 + 2 * len(MANY)


class PageCache(Disk):
    """Knows what is not on the disk yet: files by descriptor, folders by path, each on a device."""

    def __init__(self, devices: Sequence[int]) -> None:
        self.dirty: dict[int | str, int] = {}
        self.devices = devices

    def open_whole(self, path: str) -> int | None:
        return os.open(path, os.O_RDONLY)

    def start_sync(self, fd: int, offset: int, size: int) -> None:
        pass

    def sync(self, fd: int) -> None:
        self.dirty.pop(fd, None)

    def sync_folder(self, path: str) -> None:
        self.dirty.pop(path, None)

    def sync_whole(self, fd: int) -> None:
        device = os.fstat(fd).st_dev
        self.dirty = {what: where for what, where in self.dirty.items() if where != device}


def change(disk: PageCache, number: int, device: int, steps: int) -> Job[int]:
    """Write to a file and then to its folder, so many times, each durable before it goes on."""
    for _ in range(steps):
        disk.dirty[number] = device
        yield FileSync(number, 0, 1, device)
        assert number not in disk.dirty
        folder = f"folder {number % 3} of {device}"
        disk.dirty[folder] = device
        yield FolderSync(folder, device if number % 2 else None)
        assert folder not in disk.dirty
    return number


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=60))
def test_whatever_is_waited_for_is_on_the_disk_before_its_job_goes_on(
    tmp_path_factory: pytest.TempPathFactory, jobs: list[tuple[bool, int]]
) -> None:
    root = tmp_path_factory.getbasetemp()
    disk = PageCache([device_of(root), 1])
    with Syncs(disk, str(root)) as syncs:
        running = [change(disk, n, disk.devices[is_elsewhere], steps) for n, (is_elsewhere, steps) in enumerate(jobs)]
        results = run_together(syncs, running)

    assert results == list(range(len(jobs)))


def test_a_job_alone_raises_what_goes_wrong_in_it() -> None:
    def wrong() -> Job[None]:
        yield from ()
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        run_alone(Disk(), wrong())
