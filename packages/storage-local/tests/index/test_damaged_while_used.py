"""The index's files are removed, replaced or overwritten while the storage is open."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import Conversation, ConversationFilter, Storage, StorageUnavailable
from idolchat_core.testing import Reopen, a_conversation, a_message

MANY = 300


def scribble(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))


def zeros(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))


def empty_one(path: Path) -> None:
    """Write an empty database of the same schema over the file, in place."""
    other = path.with_name("other.sqlite3")
    with sqlite3.connect(path) as database, sqlite3.connect(other) as copy:
        for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall():
            copy.execute(sql)
        [[version]] = database.execute("PRAGMA user_version").fetchall()
        copy.execute(f"PRAGMA user_version = {version}")
    database.close()
    copy.close()
    path.write_bytes(other.read_bytes())


def swap(path: Path) -> None:
    swapped = path.with_name("swapped.sqlite3")
    swapped.write_bytes(b"")
    swapped.replace(path)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "removed": Path.unlink,
    "replaced": swap,
    "scribbled over": scribble,
    "filled with zeros": zeros,
    "emptied": lambda path: os.truncate(path, 0),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
}
CASES = [
    (name, damage)
    for name in ("", "-wal", "-shm")
    for damage in DAMAGE
    if not (name == "-shm" and damage in ("scribbled over", "filled with zeros"))
]


@pytest.fixture
def conversations() -> list[Conversation]:
    return [a_conversation("x", user_id="ann", after_s=number) for number in range(MANY)]


@pytest.fixture
async def storage(open_storage: Reopen, conversations: list[Conversation]) -> AsyncGenerator[Storage]:
    async with open_storage() as storage:
        for conversation in conversations:
            await storage.create(conversation)
        await storage.stats()
        yield storage


async def listed(storage: Storage) -> set[UUID]:
    found: set[UUID] = set()
    before: str | None = None
    while True:
        page = await storage.list(ConversationFilter(user_id="ann"), limit=100, before=before)
        found |= {summary.id for summary in page.data}
        before = page.next
        if before is None:
            return found


async def first_answers(storage: Storage) -> AsyncGenerator[set[UUID]]:
    """Give what lists answer, until one that is asked twice says that it cannot."""
    for _ in range(3):
        try:
            yield await listed(storage)
        except StorageUnavailable:
            await asyncio.sleep(0)


@pytest.mark.parametrize(("name", "damage"), CASES, ids=[f"index{name} {damage}" for name, damage in CASES])
async def test_lists_are_right_all_the_same(
    storage: Storage, data_dir: Path, conversations: list[Conversation], name: str, damage: str
) -> None:
    path = data_dir / f"index.sqlite3{name}"
    DAMAGE[damage](path)
    added = a_conversation("y", user_id="ann", after_s=MANY)
    expected = {conversation.id for conversation in conversations}
    answers = [answer async for answer in first_answers(storage)]
    await storage.create(added)

    assert answers
    assert [answer for answer in answers if answer != expected] == []
    assert await listed(storage) == {*expected, added.id}


async def test_an_empty_index_in_its_place_is_not_believed(
    storage: Storage, data_dir: Path, conversations: list[Conversation]
) -> None:
    empty_one(data_dir / "index.sqlite3")

    assert await listed(storage) == {conversation.id for conversation in conversations}


def paths(data_dir: Path) -> Iterator[Path]:
    yield from data_dir.glob("index.sqlite3*")


async def test_others_notice_what_one_has_made_anew(
    storage: Storage, open_storage: Reopen, data_dir: Path, conversations: list[Conversation]
) -> None:
    async with open_storage() as other:
        await other.list()
        for path in list(paths(data_dir)):
            path.unlink()
        expected = {conversation.id for conversation in conversations}

        assert await listed(storage) == expected
        assert await listed(other) == expected
        await other.append(
            conversations[0].id, [a_message("z")], expected_count=1, updated_at=conversations[0].updated_at
        )
        assert await listed(storage) == expected
