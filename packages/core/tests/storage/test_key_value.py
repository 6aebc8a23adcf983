"""A storage made of get, put, delete and list passes the kit."""

import asyncio
from collections.abc import Sequence

import pytest

from idolchat_core.storage.key_value import KeyValueStorage
from idolchat_core.testing import StorageConformance


class Shelf(KeyValueStorage):
    """Keeps values in a dict, after a moment, as something remote would."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, bytes] = {}

    async def get_value(self, key: str) -> bytes | None:
        await asyncio.sleep(0)
        return self.values.get(key)

    async def put_value(self, key: str, value: bytes) -> None:
        await asyncio.sleep(0)
        self.values[key] = value

    async def delete_value(self, key: str) -> None:
        self.values.pop(key, None)

    async def list_keys(self, prefix: str) -> Sequence[str]:
        return [key for key in self.values if key.startswith(prefix)]


class TestWholeDocumentStorage(StorageConformance):
    persistent = False
    shared = False

    @pytest.fixture
    def storage(self) -> Shelf:
        return Shelf()
