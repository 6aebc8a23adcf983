import pytest

from idolchat_core.storage.contract import Storage
from idolchat_core.testing import InMemoryStorage, StorageConformance


class TestInMemoryStorage(StorageConformance):
    persistent = False

    @pytest.fixture
    def storage(self) -> Storage:
        return InMemoryStorage()
