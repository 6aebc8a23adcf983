"""The search index is derived: it follows the files, and whatever happens to it, search finds what is there."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import Storage, document, new_id
from idolchat_core.testing import Reopen, a_conversation, a_message
from idolchat_storage_local import LocalSettings, open_local_storage
from idolchat_storage_local.files.disk import Disk


async def positions(storage: Storage, text: str) -> set[tuple[UUID, int]]:
    return {(hit.conversation_id, hit.position) for hit in (await storage.search(text, limit=100)).data}


def remove(path: Path) -> None:
    path.unlink()


def fill_with_text(path: Path) -> None:
    path.write_bytes(b"this is no database\n" * 500)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def make_older(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()


def drop_a_table(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE messages")
    database.close()


def begin_to_make(path: Path) -> None:
    path.write_bytes(b"")


HARMS = [remove, fill_with_text, cut_in_half, make_older, drop_a_table]


async def test_nothing_is_indexed_before_somebody_searches(storage: Storage, data_dir: Path) -> None:
    conversation = a_conversation("miku sings")
    await storage.create(conversation)
    await storage.list()
    before = (data_dir / "search.sqlite3").exists()
    found = await positions(storage, "miku")

    assert (before, found) == (False, {(conversation.id, 0)})


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("while_open", [False, True])
async def test_a_search_index_that_is_lost_is_made_anew(
    open_storage: Reopen, data_dir: Path, harm: Callable[[Path], None], *, while_open: bool
) -> None:
    made = [a_conversation("miku sings", "rin dances") for _ in range(3)]
    async with open_storage() as storage:
        await asyncio.gather(*map(storage.create, made))
        await positions(storage, "miku")
        if while_open:
            harm(data_dir / "search.sqlite3")
            assert await positions(storage, "miku") == {(conversation.id, 0) for conversation in made}
    if not while_open:
        harm(data_dir / "search.sqlite3")
    async with open_storage() as storage:
        assert await positions(storage, "dances") == {(conversation.id, 1) for conversation in made}


async def test_an_index_whose_making_was_cut_short_is_made(open_storage: Reopen, data_dir: Path) -> None:
    conversation = a_conversation("miku sings")
    async with open_storage() as storage:
        await storage.create(conversation)
    begin_to_make(data_dir / "search.sqlite3")
    async with open_storage() as storage:
        assert await positions(storage, "miku") == {(conversation.id, 0)}


async def test_what_was_put_there_by_hand_is_found(open_storage: Reopen, data_dir: Path) -> None:
    conversation = a_conversation("miku sings")
    async with open_storage() as storage:
        await positions(storage, "miku")
        (data_dir / f"{conversation.id}.json").write_bytes(document.encode(conversation))
        assert await positions(storage, "miku") == {(conversation.id, 0)}


async def test_what_another_process_writes_is_found_once_it_is_in_the_list(open_storage: Reopen) -> None:
    conversation = a_conversation("one")
    async with open_storage() as storage, open_storage() as other:
        await storage.create(conversation)
        await positions(storage, "two")
        added = a_message("two")
        await other.append(conversation.id, [added], expected_count=1, updated_at=added.timestamp)
        found = await positions(other, "two")
        assert found == await positions(storage, "two") == {(conversation.id, 1)}


async def test_searches_at_once_in_two_processes_leave_one_index_that_is_right(open_storage: Reopen) -> None:
    made = [a_conversation("miku", *(f"word{number}" for number in range(5))) for _ in range(60)]
    async with open_storage() as storage, open_storage() as other:
        await asyncio.gather(*map(storage.create, made))
        await storage.stats()
        await asyncio.gather(*(positions(one, "miku") for one in (storage, other) for _ in range(3)))

        for one in (storage, other):
            assert await positions(one, "miku") == {(conversation.id, 0) for conversation in made}
            assert len(await positions(one, "word3")) == len(made)


async def test_words_of_what_is_replaced_are_not_found_whatever_its_length(storage: Storage) -> None:
    old = a_conversation("aaaa bbbb", "cccc")
    await storage.create(old)
    await positions(storage, "aaaa")
    await storage.put(a_conversation("bbbb aaax", "dddd", "eeee", id=old.id, user_id=old.user_id))
    await storage.append(old.id, [a_message("ffff")], expected_count=3, updated_at=old.updated_at)

    found = {word: await positions(storage, word) for word in ("aaaa", "cccc", "aaax", "eeee", "ffff")}
    assert found == {
        "aaaa": set(),
        "cccc": set(),
        "aaax": {(old.id, 0)},
        "eeee": {(old.id, 2)},
        "ffff": {(old.id, 3)},
    }


async def test_what_can_be_read_of_a_damaged_conversation_is_found(open_storage: Reopen, data_dir: Path) -> None:
    conversation = a_conversation("miku sings", "rin dances")
    async with open_storage() as storage:
        await storage.create(conversation)
    name = str(conversation.id)
    path = data_dir / "conversations" / name[-2:] / f"{name}.json"
    path.write_bytes(path.read_bytes().replace(b'"rin', b"rin"))
    async with open_storage() as storage:
        assert await positions(storage, "miku") == {(conversation.id, 0)}


async def test_messages_of_the_same_time_are_all_found(storage: Storage) -> None:
    made = [a_conversation().model_copy(update={"messages": (a_message("miku"),)}) for _ in range(30)]
    same = a_conversation().model_copy(update={"messages": tuple(a_message("miku", id=new_id()) for _ in range(1500))})
    for conversation in (*made, same):
        await storage.put(conversation)
    count, before = 0, None
    while True:
        page = await storage.search("miku", limit=100, before=before)
        count += len(page.data)
        before = page.next
        if before is None:
            break

    assert count == 1530


async def test_an_index_that_cannot_be_made_leaves_search_to_reading(open_storage: Reopen, data_dir: Path) -> None:
    conversation = a_conversation("miku sings")
    (data_dir / "search.sqlite3").mkdir(parents=True)
    async with open_storage() as storage:
        await storage.create(conversation)
        assert await positions(storage, "miku") == {(conversation.id, 0)}


class PausingDisk(Disk):
    """Waits, once, where a document is read to be indexed."""

    def __init__(self) -> None:
        self.wanted = False
        self.waits = threading.Event()
        self.may_go_on = threading.Event()

    def read(self, fd: int, size: int, offset: int) -> bytes:
        if self.wanted:
            self.wanted = False
            self.waits.set()
            assert self.may_go_on.wait(60)
        return super().read(fd, size, offset)


async def test_an_index_made_anew_beside_a_search_has_everything(open_storage: Reopen, data_dir: Path) -> None:
    made = [a_conversation("miku sings") for _ in range(300)]
    disk = PausingDisk()
    settings = LocalSettings(data_dir=data_dir)
    async with open_local_storage(settings, disk=disk) as server, open_storage() as command:
        await server.put_documents({one.id: document.encode(one) for one in made})
        await asyncio.gather(server.settle(), command.settle())
        await server.stats()
        disk.wanted = True
        searching = asyncio.ensure_future(positions(server, "miku"))
        assert await asyncio.to_thread(disk.waits.wait, 60)
        async with aclosing(command.reindex()) as reindexing:
            async for done in reindexing:
                if done > len(made) // 2:  # the new index has some of them
                    disk.may_go_on.set()
                    await searching
        found = [count async for count in pages(command)]

    assert sum(found) == len(made)


async def pages(storage: Storage) -> AsyncGenerator[int]:
    before: str | None = None
    while True:
        page = await storage.search("miku", limit=100, before=before)
        yield len(page.data)
        if (before := page.next) is None:
            return
