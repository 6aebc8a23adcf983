"""The index is derived: whatever happens to it, conversations go on and lists are right again."""

# ruff: noqa: ASYNC240

import asyncio
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import Conversation, ConversationFilter, Storage, document, new_id
from idolchat_core.testing import Reopen, a_conversation, a_message
from idolchat_storage_local.index.sqlite_index import make_index_anew, open_index

TURN = new_id()


@pytest.fixture
async def conversations(open_storage: Reopen) -> list[Conversation]:
    made = [a_conversation("one", after_s=number, user_id="ann") for number in range(5)]
    turn = a_message("two", turn_id=TURN)
    async with open_storage() as storage:
        for conversation in made:
            await storage.create(conversation)
        await storage.append(made[0].id, [turn], expected_count=1, updated_at=turn.timestamp)
    return made


def remove(index: Path) -> None:
    index.unlink()


def fill_with_zeros(index: Path) -> None:
    index.write_bytes(bytes(8192))


def fill_with_text(index: Path) -> None:
    index.write_bytes(b"this is no database\n" * 500)


def cut_in_half(index: Path) -> None:
    os.truncate(index, index.stat().st_size // 2)


def scribble(index: Path) -> None:
    data = bytearray(index.read_bytes())
    data[4096:-100:97] = b"\xff" * len(data[4096:-100:97])
    index.write_bytes(data)


def make_older(index: Path) -> None:
    with sqlite3.connect(index) as database:
        database.execute("DROP TABLE marks")
        database.execute("PRAGMA user_version = 999")
    database.close()


def empty_the_tables(index: Path) -> None:
    with sqlite3.connect(index) as database:
        for table in ("conversations", "turns", "marks"):
            database.execute(f"DELETE FROM {table}")  # noqa: S608
    database.close()


def drop_a_table(index: Path) -> None:
    with sqlite3.connect(index) as database:
        database.execute("DROP TABLE turns")
    database.close()


def replace_by_a_folder(index: Path) -> None:
    index.unlink()
    index.mkdir()


HARMS = [
    remove,
    fill_with_zeros,
    fill_with_text,
    cut_in_half,
    scribble,
    make_older,
    empty_the_tables,
    drop_a_table,
    replace_by_a_folder,
]


@pytest.mark.parametrize("harm", HARMS)
async def test_an_index_that_is_lost_is_made_anew(
    open_storage: Reopen, data_dir: Path, conversations: list[Conversation], harm: Callable[[Path], None]
) -> None:
    harm(data_dir / "index.sqlite3")
    async with open_storage() as storage:
        added = a_message("on")
        await storage.append(conversations[1].id, [added], expected_count=1, updated_at=added.timestamp)
        listed = (await storage.list(ConversationFilter(user_id="ann"))).data
        found = await storage.find_turn(TURN)

    assert {summary.id: summary.message_count for summary in listed} == {
        conversation.id: 2 if number < 2 else 1 for number, conversation in enumerate(conversations)
    }
    assert found == conversations[0].id


@pytest.mark.parametrize("harm", [remove, fill_with_text, scribble, drop_a_table])
async def test_conversations_go_on_when_the_index_breaks_while_they_run(
    open_storage: Reopen, data_dir: Path, conversations: list[Conversation], harm: Callable[[Path], None]
) -> None:
    async with open_storage() as storage:
        await storage.list()
        harm(data_dir / "index.sqlite3")
        for number in range(3):
            for conversation in conversations[1:]:
                message = a_message(str(number))
                await storage.append(
                    conversation.id, [message], expected_count=1 + number, updated_at=message.timestamp
                )

        assert len((await storage.read(conversations[1].id)).messages) == 4
    async with open_storage() as storage:
        listed = (await storage.list(ConversationFilter(user_id="ann"))).data

    assert {summary.id: summary.message_count for summary in listed} == {
        conversation.id: 2 if number == 0 else 4 for number, conversation in enumerate(conversations)
    }


async def test_what_changed_while_nobody_looked_is_noticed(
    open_storage: Reopen, conversations: list[Conversation], file_of: Callable[[UUID], Path]
) -> None:
    gone, grown, edited, *_ = conversations
    turn_id = new_id()
    new = a_conversation().model_copy(update={"messages": (a_message("new", turn_id=turn_id),)})
    file_of(gone.id).unlink()
    more = (*grown.messages, a_message("two"), a_message("three"))
    file_of(grown.id).write_bytes(document.encode(grown.model_copy(update={"messages": more})))
    same_size = file_of(edited.id).read_bytes().replace(b'"user_id":"ann"', b'"user_id":"bob"')
    file_of(edited.id).write_bytes(same_size)
    file_of(new.id).parent.mkdir(exist_ok=True)
    file_of(new.id).write_bytes(json.dumps(json.loads(document.encode(new)), indent=2).encode())

    async with open_storage() as storage:
        listed = {summary.id: summary for summary in (await storage.list()).data}
        assert gone.id not in listed
        assert listed[grown.id].message_count == 3
        assert listed[edited.id].user_id == "bob"
        assert await storage.find_turn(turn_id) == new.id
        assert await storage.find_turn(TURN) is None


async def test_a_list_is_right_at_once_after_a_crash(
    open_storage: Reopen, data_dir: Path, conversations: list[Conversation]
) -> None:
    index = data_dir / "index.sqlite3"
    before = index.read_bytes()
    async with open_storage() as storage:
        for conversation in conversations[1:]:
            added = a_message("two", after_s=600)
            await storage.append(conversation.id, [added], expected_count=1, updated_at=added.timestamp)
    for path in data_dir.glob("index.sqlite3*"):
        path.unlink()
    index.write_bytes(before)

    async with open_storage() as storage:
        listed = (await storage.list()).data
    assert [summary.message_count for summary in listed] == [2] * 5


async def test_many_who_list_and_write_see_their_own(open_storage: Reopen) -> None:
    async with open_storage() as storage:

        async def work(number: int) -> None:
            user = f"user {number}"
            for count in range(1, 6):
                conversation = a_conversation("x", user_id=user, after_s=count)
                await storage.create(conversation)
                listed = (await storage.list(ConversationFilter(user_id=user))).data
                assert len(listed) == count
                assert listed[0].id == conversation.id

        await asyncio.gather(*map(work, range(20)))


async def test_pages_go_on_while_conversations_change(open_storage: Reopen) -> None:
    async with open_storage() as storage:
        made = [a_conversation("x", after_s=number) for number in range(30)]
        for conversation in made:
            await storage.create(conversation)
        seen: list[UUID] = []
        before: str | None = None
        while True:
            page = await storage.list(limit=4, before=before)
            seen += [summary.id for summary in page.data]
            await touch(storage, made[10])
            if page.next is None:
                break
            before = page.next

    assert set(seen) | {made[10].id} == {conversation.id for conversation in made}
    assert len(seen) == len(set(seen))


async def touch(storage: Storage, conversation: Conversation) -> None:
    message = a_message("again", after_s=3600)
    total = (await storage.read_page(conversation.id, limit=1)).total
    await storage.append(conversation.id, [message], expected_count=total, updated_at=message.timestamp)


async def test_a_file_that_was_removed_is_not_found_and_no_longer_listed_later(
    open_storage: Reopen, conversations: list[Conversation], file_of: Callable[[UUID], Path]
) -> None:
    file_of(conversations[2].id).unlink()
    async with open_storage() as storage:
        assert conversations[2].id not in {summary.id for summary in (await storage.list()).data}


def test_the_index_is_its_owner_s_alone(tmp_path: Path) -> None:
    index = open_index(str(tmp_path / "index.sqlite3"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    index.close()

    assert modes == {0o600}


def test_another_process_that_closes_the_index_leaves_its_log_to_who_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    index = open_index(str(path))
    log = path.with_name(f"{path.name}-wal")
    before = log.stat().st_ino
    code = "import sqlite3, sys; base = sqlite3.connect(sys.argv[1]); base.execute('SELECT 1 FROM turns'); base.close()"
    subprocess.run([sys.executable, "-c", code, path], check=True)

    assert log.stat().st_ino == before
    index.close()


CLOSER = """
import sys, threading
from idolchat_storage_local.index.sqlite_index import IndexBroken, open_index

def write(index, has_written):
    try:
        while True:
            index.mark_stale(map(str, range(200)))
            has_written.set()
    except IndexBroken:
        pass

for number in range(20):
    index, has_written = open_index(f"{sys.argv[1]}/{number}"), threading.Event()
    threads = [threading.Thread(target=write, args=(index, has_written)) for _ in range(2)]
    for thread in threads:
        thread.start()
    has_written.wait()
    index.close()
    for thread in threads:
        thread.join()
"""


def test_an_index_that_is_closed_while_threads_write_crashes_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CLOSER, str(tmp_path)], check=False)

    assert done.returncode == 0


OPENER = """
import sys
from idolchat_storage_local.index.sqlite_index import make_index_anew, open_index
while path := sys.stdin.readline().strip():
    index = open_index(path)
    print("opened", flush=True)
    sys.stdin.readline()
    print(index.is_kept, flush=True)
    index.close()
"""


def make_nothing(path: Path) -> None:
    """Leave it to who opens it."""


def make_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE conversations (id TEXT PRIMARY KEY)")
        database.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize("make", [make_nothing, make_another_version, Path.touch])
def test_processes_that_begin_at_once_keep_one_index(tmp_path: Path, make: Callable[[Path], None]) -> None:
    with ExitStack() as running:
        openers = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
                )
            )
            for _ in range(3)
        ]

        def each(line: str) -> set[bytes]:
            for opener in openers:
                assert opener.stdin
                opener.stdin.write(f"{line}\n".encode())
            return {opener.stdout.readline() for opener in openers if opener.stdout}

        for number in range(20):
            make(tmp_path / str(number))
            assert each(str(tmp_path / str(number))) == {b"opened\n"}
            assert each("look") == {b"True\n"}

    assert list(tmp_path.glob(".*")) == []


def test_that_there_was_no_index_yet_is_nothing_to_warn_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "index.sqlite"
    open_index(str(path)).close()
    assert not caplog.records

    make_older(path)
    open_index(str(path)).close()
    [warned] = caplog.records
    assert warned.message == "the index is made from the conversations"


def test_an_index_that_nobody_can_lock_is_kept_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "index.sqlite"
    (tmp_path / "index.sqlite.lock").mkdir()
    index = open_index(str(path))
    index = make_index_anew(str(path), index)
    index.close()

    assert [record.message for record in caplog.records] == ["the index is kept in memory"] * 2
    assert not path.exists()
