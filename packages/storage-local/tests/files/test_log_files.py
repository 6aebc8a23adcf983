"""Lines that a crash cut short spoil no others, and many writers wait for the disk once."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from idolchat_core import StorageUnavailable
from idolchat_core.testing import Reopen
from idolchat_storage_local import LocalSettings, open_local_storage
from idolchat_storage_local.files.disk import Disk


class CountingDisk(Disk):
    """Counts syncs of files; ``fails`` makes the next write to a log break off half-way."""

    def __init__(self) -> None:
        self.syncs = 0
        self.fails = False

    def sync(self, fd: int) -> None:
        self.syncs += 1
        super().sync(fd)

    def append(self, fd: int, data: bytes) -> None:
        if self.fails:
            self.fails = False
            super().append(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().append(fd, data)


async def test_a_line_cut_short_by_a_crash_stays_by_itself(open_storage: Reopen, data_dir: Path) -> None:
    async with open_storage() as storage:
        await storage.append_log("n", "x", b"whole\n")
    with (data_dir / "logs/n/x").open("ab") as log:
        log.write(b"cut sho")

    async with open_storage() as storage:
        await storage.append_log("n", "x", b"next\n")
        assert await storage.read_log("n", "x") == b"whole\ncut sho\nnext\n"


async def test_lines_that_the_disk_refused_are_told_and_spoil_no_others(data_dir: Path) -> None:
    disk = CountingDisk()
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        await storage.append_log("n", "x", b"whole\n")
        disk.fails = True
        with pytest.raises(StorageUnavailable, match="No space"):
            await storage.append_log("n", "x", b"refused\n")
        await storage.append_log("n", "x", b"next\n")

        assert (await storage.read_log("n", "x")).splitlines() == [b"whole", b"refu", b"next"]


async def test_lines_asked_for_together_wait_for_the_disk_once(data_dir: Path) -> None:
    disk = CountingDisk()
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        await storage.append_log("n", "x", b"first\n", durable=False)
        before = disk.syncs
        await asyncio.gather(*(storage.append_log("n", "x", b"line\n") for _ in range(100)))

        assert disk.syncs - before < 50
        assert len((await storage.read_log("n", "x")).splitlines()) == 101
