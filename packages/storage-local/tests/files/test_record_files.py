"""Records of several processes, and namespaces with many."""

import asyncio
import os
import random
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from idolchat_core import Storage
from idolchat_core.testing import Reopen
from idolchat_storage_local import LocalSettings, open_local_storage
from idolchat_storage_local.files.disk import Disk

PROGRAM = Path(__file__).parents[1] / "counting.py"
KILLS = 6


async def counted(data_dir: Path, *, times: int, dies_after: int | None = None) -> list[int]:
    """Run the program, and return what it says that it has written; kill it after so many numbers."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), str(data_dir), str(times), stdout=PIPE)
    assert process.stdout is not None
    numbers: list[int] = []
    try:
        while line := await process.stdout.readline():
            numbers += [int(line)] if line.endswith(b"\n") else []
            if len(numbers) == dies_after:
                process.kill()
    finally:
        if process.returncode is None and dies_after is None:
            process.terminate()
        await process.wait()
    return numbers


async def test_no_process_loses_what_another_has_written(open_storage: Reopen, data_dir: Path) -> None:
    sides = await asyncio.gather(counted(data_dir, times=60), counted(data_dir, times=60))

    assert sorted([*sides[0], *sides[1]]) == list(range(1, 121))
    async with open_storage() as storage:
        assert await storage.get_record("counts", "a") == b"120"


async def test_what_was_acknowledged_outlives_the_writer_that_is_killed(open_storage: Reopen, data_dir: Path) -> None:
    killed = [counted(data_dir, times=0, dies_after=random.randint(1, 40)) for _ in range(KILLS)]
    written = [number for numbers in await asyncio.gather(*killed) for number in numbers]

    assert len(written) == len(set(written))
    async with open_storage() as storage:
        kept = int(await storage.get_record("counts", "a") or b"")
        assert max(written) <= kept <= len(written) + KILLS
        assert await storage.list_records("counts") == ["a"]


class CountingDisk(Disk):
    """Counts how often a folder is listed."""

    def __init__(self) -> None:
        self.listed = 0

    def names(self, path: str) -> list[str]:
        self.listed += "/records/many" in path
        return super().names(path)


async def all_names(storage: Storage) -> list[str]:
    found, after = list[str](), ""
    while page := await storage.list_records("many", after=after, limit=10):
        found, after = [*found, *page], page[-1]
    return found


async def test_a_namespace_where_nothing_changes_is_read_once_for_all_pages(data_dir: Path) -> None:
    disk, names = CountingDisk(), [f"{number:03}" for number in range(200)]
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        await asyncio.gather(*(storage.put_record("many", name, b"", durable=False) for name in names))
        os.utime(data_dir / "records/many", (1_700_000_000, 1_700_000_000))  # as if it were long ago
        assert await all_names(storage) == names
        assert disk.listed == 1

        await storage.delete_record("many", "007")
        assert await all_names(storage) == [name for name in names if name != "007"]
        assert disk.listed > 1
