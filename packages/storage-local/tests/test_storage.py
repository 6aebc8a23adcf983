from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from idolchat_core.storage import Storage
from idolchat_core.testing import Reopen, StorageConformance
from idolchat_storage_local import LocalSettings, open_local_storage


class TestLocalStorage(StorageConformance):
    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncGenerator[Storage]:
        async with open_local_storage(LocalSettings(data_dir=tmp_path)) as storage:
            yield storage

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Reopen:
        return lambda: open_local_storage(LocalSettings(data_dir=tmp_path))
