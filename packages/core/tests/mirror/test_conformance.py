"""A mirrored storage keeps the contract of its primary, whatever its mirror does."""

import inspect

import pytest

from idolchat_core.mirror import MirroredStorage, TrackedStorage
from idolchat_core.mirror.forwarding import Forwarding
from idolchat_core.storage.contract import Storage
from idolchat_core.testing import InMemoryObjects, StorageConformance


class TestWithMirror(StorageConformance):
    persistent = False

    @pytest.fixture
    async def storage(self, storage: MirroredStorage) -> MirroredStorage:
        return storage


class TestWithMirrorDown(StorageConformance):
    """From the moment that it is known what the mirror holds."""

    persistent = False

    @pytest.fixture
    async def storage(self, surveyed: MirroredStorage, mirror: InMemoryObjects) -> MirroredStorage:
        mirror.is_down = True
        return surveyed


def test_every_method_of_a_storage_is_forwarded_with_intent() -> None:
    public = {name for name, _ in inspect.getmembers(Storage, inspect.isfunction) if not name.startswith("_")}
    ours = {name for kind in (Forwarding, TrackedStorage, MirroredStorage) for name in vars(kind)}

    assert public - ours == set()
