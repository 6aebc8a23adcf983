"""The disk says no: the caller is told why, nothing acknowledged is lost, and all goes on when the disk does."""

import asyncio
import errno
import fcntl
import json
import os
import resource
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from idolchat_core import (
    Conversation,
    ConversationNotFound,
    Message,
    Storage,
    StorageConflict,
    StorageUnavailable,
    utc_now,
)
from idolchat_core.testing import Reopen, a_conversation, a_message
from idolchat_storage_local import LocalSettings, open_local_storage
from idolchat_storage_local.files.disk import Disk, unavailable

NEVER = 10**9


class FailingDisk(Disk):
    """Fails from the n-th call that changes something on, ``times`` times; a write that fails has written half."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.fail_at = NEVER
        self.times = 0
        self.calls = 0

    def fail(self, *, at: int, times: int) -> None:
        self.calls, self.fail_at, self.times = 0, at, times

    def heal(self) -> None:
        self.fail_at = NEVER

    def _count(self) -> None:
        if threading.current_thread().name == "idolchat-scan":
            return  # the scan at the start writes its own note, while or after a test fails something
        self.calls += 1
        if self.fail_at <= self.calls < self.fail_at + self.times:
            raise OSError(self.code, os.strerror(self.code))

    def create(self, path: str) -> int:
        self._count()
        return super().create(path)

    def write(self, fd: int, data: bytes, offset: int) -> None:
        try:
            self._count()
        except OSError:
            super().write(fd, data[: len(data) // 2], offset)
            raise
        super().write(fd, data, offset)

    def truncate(self, fd: int, size: int) -> None:
        self._count()
        super().truncate(fd, size)

    def sync(self, fd: int) -> None:
        self._count()
        super().sync(fd)

    def sync_folder(self, path: str) -> None:
        self._count()
        super().sync_folder(path)

    def sync_whole(self, fd: int) -> None:
        self._count()
        super().sync_whole(fd)

    def replace(self, source: str, target: str) -> None:
        self._count()
        super().replace(source, target)

    def mkdir(self, path: str) -> None:
        self._count()
        super().mkdir(path)


class Ledger:
    """What a client knows of one conversation: what must be there, and what may be."""

    def __init__(self) -> None:
        self.conversation = a_conversation("zero", title="t")
        self.acknowledged: list[Message] = []
        self.unsure: list[Message] = []
        self.titles = [{"title": "t"}]
        self.exists: bool | None = False

    async def create(self, storage: Storage) -> None:
        self.exists = None
        await storage.create(self.conversation)
        self.exists = True
        self.acknowledged = list(self.conversation.messages)

    async def append(self, storage: Storage) -> None:
        message = a_message(f"message {len(self.acknowledged)} 🌸" * 30)
        self.unsure.append(message)
        await storage.append(
            self.conversation.id, [message], expected_count=len(self.acknowledged), updated_at=utc_now()
        )
        self.acknowledged.append(message)

    async def update(self, storage: Storage) -> None:
        fields = {"title": "u" * 700}
        self.titles.append(fields)
        await storage.update(self.conversation.id, fields, expected_count=len(self.acknowledged))
        self.titles = [fields]

    async def put(self, storage: Storage) -> None:
        stored = await storage.read(self.conversation.id)
        await storage.put(stored)

    async def check(self, storage: Storage) -> None:
        """See that what was acknowledged is there, and nothing that was never said, and catch up with the rest."""
        try:
            read = await storage.read(self.conversation.id)
        except ConversationNotFound:
            assert self.exists is not True
            await storage.create(self.conversation)
            self.acknowledged, self.exists = list(self.conversation.messages), True
            return
        assert self.exists is not False
        ours = list(read.messages)
        if self.exists is None:
            self.acknowledged, self.exists = list(self.conversation.messages), True
        assert ours[: len(self.acknowledged)] == self.acknowledged
        assert [message for message in ours[len(self.acknowledged) :] if message not in self.unsure] == []
        assert read.model_extra in self.titles
        assert read.status is None
        self.acknowledged = ours


STEPS: list[Callable[[Ledger, Storage], Awaitable[None]]] = [
    Ledger.create,
    Ledger.append,
    Ledger.append,
    Ledger.update,
    Ledger.append,
    Ledger.put,
    Ledger.append,
]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("times", [1, 2, 3, NEVER])
async def test_a_disk_that_fails_at_any_call(
    open_storage: Reopen, data_dir: Path, file_of: Callable[[UUID], Path], code: int, times: int
) -> None:
    disk = FailingDisk(code)
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        failures, fail_at = 1, 0
        while failures:
            fail_at += 1
            ledger = Ledger()
            failures = await run_until_it_fails(disk, storage, ledger, fail_at=fail_at, times=times)
            disk.heal()
            await ledger.check(storage)
            await ledger.append(storage)
            await ledger.check(storage)
            json.loads(file_of(ledger.conversation.id).read_bytes())
            async with open_storage() as other:
                await ledger.check(other)

    assert fail_at > 15


async def run_until_it_fails(disk: FailingDisk, storage: Storage, ledger: Ledger, *, fail_at: int, times: int) -> int:
    """Go on as a client would who is told that something failed; tell how often that was."""
    failures: list[str] = []
    disk.fail(at=fail_at, times=times)
    for step in STEPS:
        try:
            await step(ledger, storage)
        except StorageUnavailable as error:
            failures.append(str(error))
            if ledger.exists is not True:
                break
            await read_anyway(ledger, storage)
        except StorageConflict:
            # What failed before has happened all the same.
            await read_anyway(ledger, storage)
    assert all(os.strerror(disk.code) in text for text in failures)
    return len(failures)


async def read_anyway(ledger: Ledger, storage: Storage) -> None:
    """What is stored can be read while the disk takes no writes."""
    read = await storage.read(ledger.conversation.id)
    assert list(read.messages)[: len(ledger.acknowledged)] == ledger.acknowledged
    if read.status is None:
        ledger.acknowledged = list(read.messages)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.EACCES])
def test_the_error_says_what_was_refused_and_what_to_do(code: int) -> None:
    error = unavailable(OSError(code, os.strerror(code), "/data/x"))

    assert str(error).startswith(f"local storage cannot go on: {os.strerror(code)}: /data/x; ")


@pytest.mark.parametrize("times", [1, NEVER])
async def test_records_are_whole_or_not_there_on_a_failing_disk(data_dir: Path, times: int) -> None:
    disk = FailingDisk(errno.ENOSPC)
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        await storage.put_record("n", "x", b"first")
        for fail_at in range(1, 5):
            disk.fail(at=fail_at, times=times)
            with pytest.raises(StorageUnavailable):
                await storage.put_record("n", "x", b"second")
            disk.heal()
            assert await storage.get_record("n", "x") in (b"first", b"second")
        assert list(await storage.list_records("n")) == ["x"]


async def test_a_store_on_a_full_disk_says_that_it_is_not_ready(data_dir: Path) -> None:
    disk = FailingDisk(errno.ENOSPC)
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        disk.fail(at=1, times=NEVER)
        with pytest.raises(StorageUnavailable, match=r"No space left on device.*free some space"):
            await storage.check()
        disk.heal()
        await storage.check()


@pytest.mark.parametrize("room", [0, 1, 10, 39, 40, 41, 200, 511, 512, 513, 5000])
async def test_a_write_that_stops_after_some_bytes(
    open_storage: Reopen, file_of: Callable[[UUID], Path], room: int
) -> None:
    conversation = a_conversation("one")
    message = a_message("x" * 8000)
    async with open_storage() as storage:
        await storage.create(conversation)
        path = file_of(conversation.id)
        before = path.read_bytes()
        with file_size_limit(len(before) + room), pytest.raises(StorageUnavailable, match="File too large"):
            await append(storage, conversation, message)
        assert path.read_bytes() == before

        await append(storage, conversation, message)
        assert (await storage.read(conversation.id)).messages[1] == message


async def test_a_new_conversation_that_does_not_fit_leaves_nothing(open_storage: Reopen, data_dir: Path) -> None:
    async with open_storage() as storage:
        with file_size_limit(3000), pytest.raises(StorageUnavailable):
            await storage.create(a_conversation("x" * 8000))

        assert list((data_dir / "conversations").rglob("*.*")) == []


async def append(storage: Storage, conversation: Conversation, message: Message) -> None:
    await storage.append(conversation.id, [message], expected_count=1, updated_at=utc_now())


class ReadOnlyDisk(Disk):
    """A disk that was remounted read-only."""

    is_read_only = True

    def open(self, path: str, *, writable: bool) -> int:
        self._require(writable=writable)
        return super().open(path, writable=writable)

    def create(self, path: str) -> int:
        self._require(writable=True)
        return super().create(path)

    def _require(self, *, writable: bool) -> None:
        if writable and self.is_read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))


async def test_what_is_on_a_read_only_disk_can_be_read(
    open_storage: Reopen, data_dir: Path, file_of: Callable[[UUID], Path]
) -> None:
    good, torn = a_conversation("one", "two"), a_conversation("one", "two", title="t")
    disk = ReadOnlyDisk()
    async with open_storage() as storage:
        await storage.create(good)
        await storage.create(torn)
    path = file_of(torn.id)
    path.write_bytes(path.read_bytes()[:-9])

    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        assert await storage.read(good.id) == good
        read = await storage.read(torn.id)
        assert (read.status, read.messages) == (None, torn.messages)
        with pytest.raises(StorageUnavailable, match=r"Read-only file system.*mount that disk writable"):
            await append(storage, good, a_message())
        disk.is_read_only = False
        assert (await storage.read(torn.id)).status is None


async def test_a_change_that_was_cut_on_a_disk_that_is_read_only_now_is_shown_once(
    open_storage: Reopen, data_dir: Path
) -> None:
    conversation, failing, disk = a_conversation("one", title="t"), FailingDisk(errno.EIO), ReadOnlyDisk()
    async with open_storage() as storage:
        await storage.create(conversation)
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=failing) as storage:
        await storage.list()  # until the scan at the start is over, which would mend the file
        failing.fail(at=4, times=NEVER)  # the change is written behind the document and in its place, and not synced
        with pytest.raises(StorageUnavailable):
            await append(storage, conversation, a_message("two"))
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
        read = await storage.read(conversation.id)

    assert (read.status, [message.content for message in read.messages]) == (None, ["one", "two"])


class ImpatientDisk(Disk):
    lock_patience_s = 0.05


async def test_a_file_that_another_process_keeps_locked_holds_up_nobody_else(
    data_dir: Path, file_of: Callable[[UUID], Path]
) -> None:
    locked, free = a_conversation("one"), a_conversation("one")
    async with open_local_storage(LocalSettings(data_dir=data_dir), disk=ImpatientDisk()) as storage:
        await storage.create(locked)
        await storage.create(free)
        with file_of(locked.id).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            waiting = asyncio.create_task(append(storage, locked, a_message("two")))
            await append(storage, free, a_message("two"))
            with pytest.raises(StorageUnavailable, match="another process has locked"):
                await waiting
            with pytest.raises(StorageUnavailable, match="another process has locked"):
                await storage.read(locked.id)
        await append(storage, locked, a_message("two"))

        assert len((await storage.read(locked.id)).messages) == 2


async def test_an_append_waits_for_a_file_that_is_locked_for_a_moment(
    open_storage: Reopen, file_of: Callable[[UUID], Path]
) -> None:
    locked, other = a_conversation("one"), a_conversation("one")
    async with open_storage() as storage:
        await storage.create(locked)
        await storage.create(other)
        with file_of(locked.id).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            waiting = asyncio.create_task(append(storage, locked, a_message("two")))
            await append(storage, other, a_message("two"))
        await waiting

        assert len((await storage.read(locked.id)).messages) == 2


class file_size_limit:  # noqa: N801
    """The kernel's own limit: a write goes as far as it may and then fails with EFBIG."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size, self._before[1]))

    def __exit__(self, *_: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)
