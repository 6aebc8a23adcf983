"""The storage is right by the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from idolchat_core.testing import Reopen, StorageConformance
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import PostgresStorage, open_postgres_storage


class TestConformance(StorageConformance):
    """The contract of core."""

    @pytest.fixture
    def reopen(self, database_url: str) -> Reopen:
        settings = PostgresSettings.model_validate({"url": database_url})
        return lambda: open_postgres_storage(settings)

    @pytest.fixture
    async def storage(self, reopen: Reopen) -> AsyncIterator[PostgresStorage]:
        async with reopen() as storage:
            assert isinstance(storage, PostgresStorage)
            yield storage
