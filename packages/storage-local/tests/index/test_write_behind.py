"""What the thread that updates the index tells whoever looks through the files."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from idolchat_core import StorageUnavailable
from idolchat_storage_local.index.entry import Entry
from idolchat_storage_local.index.sqlite_index import IndexBroken
from idolchat_storage_local.index.write_behind import WriteBehindIndex

LONG_ENOUGH_S = 1.0
"""In which an index is made anew, where nothing keeps it from that."""


class SlowWatcher:
    """Takes its time with what another thread than the index's own tells it."""

    def __init__(self, index: WriteBehindIndex) -> None:
        self._index = index
        self._thread = threading.current_thread()
        self._updated = threading.Event()
        self.told: list[str] = []

    def on_broken(self) -> None:
        if threading.current_thread() is self._thread:
            unread = Entry.of_unread(uuid4(), "conversations/00", problem="torn", mtime_ns=0)
            self._index.note(uuid4(), unread)  # which wakes the index's own thread
            self._updated.wait(LONG_ENOUGH_S)
        self.told.append("broken")

    def on_made_anew(self) -> None:
        self.told.append("made anew")
        self._updated.set()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[WriteBehindIndex]:
    index = WriteBehindIndex(str(tmp_path / "index.sqlite3"), require_folder=lambda: None)
    yield index
    index.close()


def test_that_the_index_is_made_anew_is_told_after_that_it_is_broken(index: WriteBehindIndex, tmp_path: Path) -> None:
    watcher = SlowWatcher(index)
    index.start(watcher)
    (tmp_path / "index.sqlite3").unlink()
    with pytest.raises(IndexBroken):
        index.looked()
    index.wait_until_updated()

    assert watcher.told[-1] == "made anew"


def test_why_the_index_cannot_be_written_is_told_to_whoever_waits_for_it(
    index: WriteBehindIndex, tmp_path: Path
) -> None:
    index.start(SlowWatcher(index))
    index.wait_until_updated()
    with closing(sqlite3.connect(tmp_path / "index.sqlite3")) as other:
        other.execute("BEGIN EXCLUSIVE")
        index.note(uuid4(), Entry.of_unread(uuid4(), "conversations/00", problem="torn", mtime_ns=0))

        with pytest.raises(StorageUnavailable, match=r"the index cannot be written now: .*locked"):
            index.wait_until_updated()
