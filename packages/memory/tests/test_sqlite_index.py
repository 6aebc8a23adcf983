"""The SQLite index against the contract, and what is its own."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from idolchat_core import StorageUnavailable
from idolchat_core.testing import PLAIN_WORDS, MemoryIndexConformance
from idolchat_core.testing.memory_index import SCOPE, TALK, OpenIndex, held, some_messages
from idolchat_memory.sqlite import SqliteMemoryIndex, open_sqlite_index


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory" / "index.sqlite"


@pytest.fixture
async def index(path: Path) -> AsyncIterator[SqliteMemoryIndex]:
    async with open_sqlite_index(path, PLAIN_WORDS) as index:
        yield index


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(statement)


class TestSqliteMemoryIndex(MemoryIndexConformance):
    @pytest.fixture
    async def index(self, path: Path) -> AsyncIterator[SqliteMemoryIndex]:
        async with open_sqlite_index(path, PLAIN_WORDS) as index:
            yield index

    @pytest.fixture
    def reopen(self, path: Path) -> OpenIndex:
        return lambda: open_sqlite_index(path, PLAIN_WORDS)


async def test_the_file_is_for_its_owner_only(index: SqliteMemoryIndex, path: Path) -> None:
    await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")

    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


async def test_nothing_of_a_deleted_user_is_left_in_the_files(index: SqliteMemoryIndex, path: Path) -> None:
    await index.replace(SCOPE, TALK, some_messages("my secret is xylophone", "and zeppelin"), revision="1")
    assert any(b"xylophone" in file.read_bytes() for file in path.parent.iterdir())

    await index.delete_user("mia")

    left = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert [word for word in (b"xylophone", b"xylophon", b"zeppelin", b"mia") if word in left] == []


@pytest.fixture(params=[b"no database at all" * 100, b"SQLite format 3\x00" + bytes(4096)])
def damaged(path: Path, request: pytest.FixtureRequest) -> Path:
    path.parent.mkdir()
    path.write_bytes(request.param)
    return path


async def test_a_damaged_file_is_made_anew(damaged: Path) -> None:
    async with open_sqlite_index(damaged, PLAIN_WORDS) as index:
        await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")

        assert len(await held(index)) == 1


async def test_a_file_of_another_version_is_made_anew(path: Path) -> None:
    async with open_sqlite_index(path, PLAIN_WORDS) as index:
        await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")
    change(path, "PRAGMA user_version = 7")

    async with open_sqlite_index(path, PLAIN_WORDS) as index:
        assert await index.known(TALK) is None


async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    os.close(os.open(tmp_path / "file", os.O_CREAT))

    with pytest.raises(StorageUnavailable, match=r"file/index.sqlite cannot be opened"):
        async with open_sqlite_index(tmp_path / "file" / "index.sqlite"):
            pass


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("DELETE FROM postings", "1 postings are missing"),
        ("UPDATE scopes SET message_count = 7", "its totals disagree"),
        ("UPDATE sessions SET length = 7", "sessions disagree"),
        ("INSERT INTO vectors VALUES (1, 77, x'00')", "1 rows of vectors are of no message"),
        ("UPDATE sessions SET encoded_count = 1", "1 sessions disagree with their vectors"),
        ("DELETE FROM scopes", "rows of messages are of no scope"),
    ],
)
async def test_verify_names_what_does_not_agree(
    index: SqliteMemoryIndex, path: Path, damage: str, problem: str
) -> None:
    await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")
    change(path, damage)

    assert any(problem in line for line in await index.verify())


def read_elsewhere(path: Path) -> None:
    code = (
        "import sqlite3, sys; base = sqlite3.connect(sys.argv[1]); base.execute('SELECT 1 FROM scopes'); base.close()"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)


async def test_another_process_that_closes_the_file_leaves_its_log_to_one_that_has_opened_it_twice(
    index: SqliteMemoryIndex, path: Path
) -> None:
    await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")
    log = path.with_name(f"{path.name}-wal")
    before = log.stat().st_ino
    async with open_sqlite_index(path, PLAIN_WORDS):
        pass
    await asyncio.to_thread(read_elsewhere, path)

    assert log.stat().st_ino == before


OPENER = """
import asyncio, sys, uuid
from pathlib import Path
from idolchat_core.testing.memory_index import SCOPE, some_messages
from idolchat_memory.sqlite import SqliteMemoryIndex
while path := sys.stdin.readline().strip():
    index = SqliteMemoryIndex(Path(path))
    print("opened", flush=True)
    sys.stdin.readline()
    asyncio.run(index.replace(SCOPE, uuid.uuid4(), some_messages("apple"), revision="1"))
    print("written", flush=True)
    sys.stdin.readline()
    print(len(asyncio.run(index.conversations())), flush=True)
    index.close()
"""


def make_nothing(path: Path) -> None:
    """Leave it to who opens it."""


def make_another_version(path: Path) -> None:
    change(path, "PRAGMA journal_mode = WAL")
    change(path, "CREATE TABLE scopes (number INTEGER PRIMARY KEY)")
    change(path, "PRAGMA user_version = 7")


@pytest.mark.parametrize("make", [make_nothing, make_another_version, Path.touch])
def test_processes_that_begin_at_once_find_one_whole_index(tmp_path: Path, make: Callable[[Path], None]) -> None:
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
            assert each("write") == {b"written\n"}
            assert each("count") == {b"3\n"}

    assert list(tmp_path.glob("*.new")) == []
