"""A short command believes the index where it can, and is right where it cannot."""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import Conversation, Storage, document, one_shot
from idolchat_core.testing import Reopen, a_conversation, a_message
from idolchat_storage_local import LocalSettings, open_local_storage
from idolchat_storage_local.clean_shutdown import CleanShutdown
from idolchat_storage_local.files.data_folder import DataFolder
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.open_files import Files
from idolchat_storage_local.index.write_behind import WriteBehindIndex
from idolchat_storage_local.scan_rounds import ScanRounds
from idolchat_storage_local.scanner import Scanner


@pytest.fixture
async def conversation(open_storage: Reopen) -> Conversation:
    conversation = a_conversation("one")
    async with open_storage() as storage:
        await storage.create(conversation)
        await storage.list()
    return conversation


@asynccontextmanager
async def briefly(data_dir: Path) -> AsyncGenerator[Storage]:
    token = one_shot.set(True)
    try:
        async with open_local_storage(LocalSettings(data_dir=data_dir)) as storage:
            await storage.settle()
            yield storage
    finally:
        one_shot.reset(token)


def misremember(data_dir: Path) -> None:
    """Have the index say something else, so that it shows whether it is believed."""
    with sqlite3.connect(data_dir / "index.sqlite3") as database:
        database.execute("UPDATE conversations SET message_count = 99, mtime_ns = 1")
    database.close()


async def counts(storage: Storage) -> list[int]:
    return [summary.message_count for summary in (await storage.list()).data]


@pytest.mark.skipif(not Path("/proc/sys/kernel/random/boot_id").exists(), reason="the index is never believed here")
async def test_the_index_is_believed_after_an_orderly_end(data_dir: Path, conversation: Conversation) -> None:
    misremember(data_dir)

    async with briefly(data_dir) as storage:
        assert await counts(storage) == [99]
    assert list((data_dir / "run").iterdir()) == []


async def test_a_server_looks_all_the_same(open_storage: Reopen, data_dir: Path, conversation: Conversation) -> None:
    misremember(data_dir)

    async with open_storage() as storage:
        assert await counts(storage) == [1]


async def test_files_that_came_and_went_are_noticed(
    data_dir: Path, conversation: Conversation, file_of: Callable[[UUID], Path]
) -> None:
    added = a_conversation("two", "three")
    file_of(added.id).parent.mkdir(exist_ok=True)
    file_of(added.id).write_bytes(document.encode(added))
    async with briefly(data_dir) as storage:
        assert sorted(await counts(storage)) == [1, 2]
    file_of(conversation.id).unlink()
    async with briefly(data_dir) as storage:
        assert await counts(storage) == [2]


async def test_another_run_of_the_machine_is_not_believed(data_dir: Path, conversation: Conversation) -> None:
    with sqlite3.connect(data_dir / "index.sqlite3") as database:
        database.execute("UPDATE looked SET value = 'another' WHERE name = 'boot'")
    database.close()
    misremember(data_dir)

    async with briefly(data_dir) as storage:
        assert await counts(storage) == [1]


async def test_the_index_of_one_who_died_is_not_believed(data_dir: Path, conversation: Conversation) -> None:
    dying = multiprocessing.get_context("spawn").Process(target=die_using, args=(data_dir,))
    dying.start()
    dying.join()
    assert dying.exitcode == -signal.SIGKILL
    misremember(data_dir)

    async with briefly(data_dir) as storage:
        assert await counts(storage) == [1]
    misremember(data_dir)
    async with briefly(data_dir) as storage:
        assert (await storage.list()).data  # what died is history


async def test_beside_a_server_lists_are_what_it_knows(
    open_storage: Reopen, data_dir: Path, conversation: Conversation
) -> None:
    async with open_storage() as server:
        await server.list()
        added = a_message("two")
        await server.append(conversation.id, [added], expected_count=1, updated_at=added.timestamp)
        await server.stats()  # it has learnt of it then
        async with briefly(data_dir) as storage:
            assert await counts(storage) == [2]


class SlowDisk(Disk):
    """Opens no document before it is told to."""

    def __init__(self) -> None:
        self.may_open = threading.Event()
        self.is_asked = threading.Event()

    def open(self, path: str, *, writable: bool) -> int:
        if "/conversations/" in path:
            self.is_asked.set()
            self.may_open.wait()
        return super().open(path, writable=writable)


async def test_a_server_that_still_looks_through_the_files_is_not_relied_on(
    data_dir: Path, conversation: Conversation, file_of: Callable[[UUID], Path]
) -> None:
    added = a_conversation("two", "three")
    file_of(added.id).parent.mkdir(exist_ok=True)
    file_of(added.id).write_bytes(document.encode(added))
    disk = SlowDisk()
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as server:
        await asyncio.to_thread(disk.is_asked.wait)
        try:
            async with briefly(data_dir) as storage:
                assert sorted(await counts(storage)) == [1, 2]
        finally:
            disk.may_open.set()
        await server.list()
        async with briefly(data_dir) as storage:
            assert sorted(await counts(storage)) == [1, 2]


class MeetingDisk(Disk):
    """Lets another process come and go as soon as there is a file that says who uses the folder."""

    def __init__(self, meet: Callable[[], None]) -> None:
        self._meet = meet

    def create(self, path: str) -> int:
        made = super().create(path)
        if "/run/" in path:
            self._meet()
        return made


async def test_a_process_that_has_just_begun_is_not_taken_for_dead(data_dir: Path, conversation: Conversation) -> None:
    async def look() -> None:
        async with briefly(data_dir) as storage:
            await storage.list()

    disk = MeetingDisk(lambda: asyncio.run(look()))
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk):
        assert [path.name.partition(".")[0] for path in (data_dir / "run").iterdir()] == [str(os.getpid())]


def die_using(data_dir: Path) -> None:
    async def use() -> None:
        async with open_local_storage(LocalSettings(data_dir=data_dir)) as storage:
            await storage.list()
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(use())


@pytest.fixture
def using(data_dir: Path) -> Iterator[Callable[[ScanRounds], CleanShutdown]]:
    """Returns a function that shows one more user of the folder, who goes by these rounds."""
    disk = Disk()
    folder = DataFolder(data_dir, disk)
    folder.open()
    with closing(WriteBehindIndex(folder.index, require_folder=folder.require)) as index:
        rounds = ScanRounds()
        shutdown = CleanShutdown(folder, disk, index, rounds)
        scanner = Scanner(Files(folder, disk, index), shutdown, rounds, is_brief=False)
        index.start(scanner)

        def entered(rounds: ScanRounds) -> CleanShutdown:
            user = CleanShutdown(folder, disk, index, rounds)
            user.enter()
            return user

        yield entered


def test_a_look_is_not_relied_on_where_the_index_was_lost_when_it_had_just_ended(
    using: Callable[[ScanRounds], CleanShutdown],
) -> None:
    rounds = ScanRounds()
    server, number = using(rounds), rounds.number
    assert rounds.finish(number)
    rounds.lose()
    server.lose()
    rounds.restart()
    server.looked(number)

    assert using(ScanRounds()).changed() is None


class ReusingDisk(Disk):
    """Gives the number of a closed lock to another file, as systems do, and loses the index at this moment."""

    def __init__(self, other: Path, index: Path) -> None:
        self._other, self._index = other, index
        self._lock_fd: int | None = None

    def create(self, path: str) -> int:
        made = super().create(path)
        if "/run/" in path:
            self._lock_fd = made
        return made

    def close(self, fd: int) -> None:
        super().close(fd)
        if fd == self._lock_fd:
            self._lock_fd = None
            opened = os.open(self._other, os.O_RDWR)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
            self._index.unlink()


async def test_an_index_that_is_lost_at_the_end_truncates_no_file_of_others(
    data_dir: Path, tmp_path: Path, conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    (other := tmp_path / "other").write_text("of somebody else")
    disk = ReusingDisk(other, data_dir / "index.sqlite3")
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        await storage.list()

    assert "the index is made anew from the conversations" in caplog.messages
    assert other.read_text() == "of somebody else"


@pytest.mark.parametrize("page", [1, 2, 4])
async def test_a_broken_index_is_noticed_where_it_is_asked(
    data_dir: Path, conversation: Conversation, page: int
) -> None:
    size = 4096
    with (data_dir / "index.sqlite3").open("r+b") as index:
        index.seek(page * size)
        index.write(b"\xff" * size)

    async with briefly(data_dir) as storage:
        assert await counts(storage) == [1]
    async with briefly(data_dir) as storage:
        assert (await storage.stats()).messages == 1
