"""The example is right when it passes the kit."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from idolchat_storage_sqlite import SqliteStorage, open_sqlite_storage

from idolchat_core.testing import Reopen, StorageConformance


class TestSqliteStorage(StorageConformance):
    """Two processes may not append to one conversation at once: documents are read and written whole.

    Records may be written by both: SQLite compares them.
    """

    shared = False

    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncGenerator[SqliteStorage]:
        async with open_sqlite_storage(tmp_path / "test.sqlite") as storage:
            yield storage

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Reopen:
        return lambda: open_sqlite_storage(tmp_path / "test.sqlite")
