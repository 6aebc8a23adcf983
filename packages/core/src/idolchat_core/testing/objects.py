"""An object store that forgets, with the faults of one, for tests of mirrors."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from idolchat_core.errors import StorageUnavailable
from idolchat_core.storage.key_value import KeyValueStorage

__all__ = ["InMemoryObjects"]


class InMemoryObjects(KeyValueStorage):
    """Keeps values by key while it lives; several may share ``values``, as several clients share a bucket.

    Nothing can be had of it while ``is_down``, and to send a conversation that is ``refused`` ends in that error.
    ``uploads`` holds the size of each document that was taken, ``calls`` counts all that was asked of it.
    """

    def __init__(self, values: dict[str, bytes] | None = None) -> None:
        super().__init__()
        self.values = {} if values is None else values
        self.is_down = False
        self.refused: dict[UUID, StorageUnavailable] = {}
        self.uploads: list[int] = []
        self.calls = 0

    async def get_value(self, key: str) -> bytes | None:
        self._check_up()
        return self.values.get(key)

    async def put_value(self, key: str, value: bytes) -> None:
        self._check_up()
        if key.startswith("conversations/"):
            for conversation_id, error in self.refused.items():
                if str(conversation_id) in key:
                    raise error
            self.uploads.append(len(value))
        self.values[key] = value

    async def delete_value(self, key: str) -> None:
        self._check_up()
        self.values.pop(key, None)

    async def list_keys(self, prefix: str) -> Sequence[str]:
        self._check_up()
        return [key for key in self.values if key.startswith(prefix)]

    def _check_up(self) -> None:
        self.calls += 1
        if self.is_down:
            raise StorageUnavailable("the object store is down")
