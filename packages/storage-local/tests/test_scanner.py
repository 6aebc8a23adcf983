"""What the look through the folder at the start finds, and what it does not take for granted."""

import asyncio
import errno
import os
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from idolchat_core import StorageUnavailable
from idolchat_core.testing import Reopen, a_conversation
from idolchat_storage_local import LocalSettings, open_local_storage
from idolchat_storage_local.files.disk import Disk


class UnreadableDisk(Disk):
    """Reads nothing while it is told to fail, and never what is unreadable."""

    fails = True
    unreadable: UUID | None = None

    def read(self, fd: int, size: int, offset: int) -> bytes:
        if self.fails or str(self.unreadable) in str(Path(f"/proc/self/fd/{fd}").readlink()):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(fd, size, offset)


@pytest.fixture
async def stored(open_storage: Reopen, data_dir: Path) -> UUID:
    """Give a conversation of which only the file is left."""
    conversation = a_conversation("one", "two")
    async with open_storage() as storage:
        await storage.create(conversation)
    forget_index(data_dir)
    return conversation.id


def forget_index(data_dir: Path) -> None:
    for index in data_dir.glob("index.sqlite3*"):
        index.unlink()


def put_an_empty_folder_there(data_dir: Path) -> None:
    data_dir.rename(data_dir.with_name("elsewhere"))
    data_dir.mkdir()


def names(data_dir: Path) -> list[str]:
    return [path.name for path in data_dir.iterdir()]


async def test_what_cannot_be_read_is_listed_as_damaged_until_it_can_be(stored: UUID, data_dir: Path) -> None:
    disk = UnreadableDisk()
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        [before] = (await storage.list()).data
        disk.fails = False
        [after] = (await storage.list()).data

    assert (before.id, before.status) == (stored, "damaged")
    assert (after.id, after.message_count) == (stored, 2)


@pytest.mark.usefixtures("stored")
async def test_a_turn_is_not_said_to_be_unknown_while_something_cannot_be_read(data_dir: Path) -> None:
    disk = UnreadableDisk()
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        with pytest.raises(StorageUnavailable, match="may be in one"):
            await storage.find_turn(uuid4())
        disk.fails = False

        assert await storage.find_turn(uuid4()) is None


@pytest.mark.usefixtures("stored")
async def test_one_that_stays_unreadable_keeps_no_other_from_being_read_again(
    open_storage: Reopen, data_dir: Path
) -> None:
    others = [a_conversation("other") for _ in range(3)]
    async with open_storage() as storage:
        for conversation in others:
            await storage.create(conversation)
    forget_index(data_dir)
    disk = UnreadableDisk()
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        await storage.list()
        bad = others[1].id
        disk.fails, disk.unreadable = False, bad
        async with asyncio.timeout(60):
            while [entry.id for entry in (await storage.list()).data if entry.status == "damaged"] != [bad]:  # noqa: ASYNC110
                await asyncio.sleep(0)  # every list looks again, and there is no event for it


@pytest.mark.usefixtures("stored")
async def test_no_index_is_made_in_a_folder_that_took_the_place_of_ours(data_dir: Path) -> None:
    async with open_local_storage(LocalSettings(data_dir=data_dir)) as storage:
        await storage.list()
        put_an_empty_folder_there(data_dir)
        with pytest.raises(StorageUnavailable, match="is not there"):
            await storage.create(a_conversation("three"))

    assert names(data_dir) == []
