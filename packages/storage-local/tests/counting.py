"""A program for tests: counts up a number that is a record, side by side with whoever else does.

    counting.py DATA_DIR COUNT

Adds one COUNT times (0: until it is killed) and prints each number that it has written.
"""

# ruff: noqa: T201

import asyncio
import sys
from itertools import count, islice
from pathlib import Path

from idolchat_core import NO_RECORD, Storage, StorageConflict
from idolchat_storage_local import LocalSettings, open_local_storage


async def count_up(storage: Storage) -> int:
    while True:
        read = await storage.read_record("counts", "a")
        number, version = (int(read.value) + 1, read.version) if read else (1, NO_RECORD)
        try:
            await storage.put_record("counts", "a", str(number).encode(), if_version=version)
        except StorageConflict:
            continue
        return number


async def main(data_dir: str, times: str) -> None:
    async with open_local_storage(LocalSettings(data_dir=Path(data_dir))) as storage:
        for _ in islice(count(), int(times) or None):
            print(await count_up(storage), flush=True)


asyncio.run(main(*sys.argv[1:]))
