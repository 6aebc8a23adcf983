"""What users choose about their memory: records of the storage, exported and erased with the rest of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from hashlib import blake2b
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core import NO_RECORD, Storage, StorageConflict

__all__ = ["MemoryChoice", "MemoryChoices"]

NAMESPACE = "memory-choices"
MAX_KEPT = 10_000
_ATTEMPTS = 20
FRESH_S, ALONE_FRESH_S = 5.0, 60.0
"""How long another process's change may stay unseen; the second where no other server has the storage."""


class MemoryChoice(BaseModel):
    """What a user has chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall: bool = Field(True, description="whether anything is recalled in prompts; off, it can still be read")
    cross_character: bool = Field(False, description="whether a character recalls what was said to the others, too")


class _Stored(MemoryChoice):
    user_id: str


_DEFAULT = MemoryChoice()


class MemoryChoices:
    """The choices of all users, read when they are needed."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._fresh_s = FRESH_S if storage.is_shared else ALONE_FRESH_S
        self._kept: OrderedDict[str, tuple[MemoryChoice, float]] = OrderedDict()

    async def of(self, user_id: str | None) -> MemoryChoice:
        """Return what a user has chosen, and what holds without a choice. Raises ``StorageUnavailable``."""
        if user_id is None:
            return _DEFAULT
        kept = self._kept.get(user_id)
        if kept is not None and kept[1] > time.monotonic():
            return kept[0]
        return await self.read(user_id)

    async def read(self, user_id: str) -> MemoryChoice:
        """Return what a user has chosen as it is stored now. Raises ``StorageUnavailable``."""
        value = await self._storage.get_record(NAMESPACE, _name(user_id))
        return self._keep(user_id, _Stored.model_validate_json(value) if value else _DEFAULT)

    async def change(self, user_id: str, **chosen: bool) -> MemoryChoice:
        """Store what a user chooses, and return all that they have chosen; what is not given stays.

        Raises ``StorageUnavailable``, and ``StorageConflict`` when others keep changing it.
        """
        for _ in range(_ATTEMPTS):
            record = await self._storage.read_record(NAMESPACE, _name(user_id))
            before = _Stored.model_validate_json(record.value) if record else _Stored(user_id=user_id)
            stored = before.model_copy(update=chosen)
            version = record.version if record else NO_RECORD
            try:
                await self._storage.put_record(
                    NAMESPACE, _name(user_id), stored.model_dump_json().encode(), if_version=version
                )
            except StorageConflict:
                continue
            except BaseException:  # it may be stored all the same
                self._kept.pop(user_id, None)
                raise
            return self._keep(user_id, stored)
        raise StorageConflict("what is remembered is being chosen by others; send again")

    def _keep(self, user_id: str, choice: MemoryChoice) -> MemoryChoice:
        choice = MemoryChoice(recall=choice.recall, cross_character=choice.cross_character)
        self._kept[user_id] = (choice, time.monotonic() + self._fresh_s)
        self._kept.move_to_end(user_id)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return choice


def _name(user_id: str) -> str:
    """Name the record of a user, whose id need not be a UUID."""
    try:
        return str(UUID(user_id))
    except ValueError:
        return f"x-{blake2b(user_id.encode(), digest_size=16).hexdigest()}"
