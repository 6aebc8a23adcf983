"""Records of one namespace, as values."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from pydantic import BaseModel

from idolchat_core import NO_RECORD, Storage, StorageConflict

__all__ = ["REFRESH_S", "KeptRecords"]

REFRESH_S = 5.0
"""How long what another process has changed may stay unseen in turns and lists."""

MAX_CACHED = 4_096


class KeptRecords[R: BaseModel]:
    """Reads and changes the records of a namespace, each of which is one value.

    What is asked for in every turn is read from the storage every 5 seconds at most, and parsed where it has changed.
    Writers of one process take turns, and a change is made anew of what another process has written meanwhile.
    """

    def __init__(self, storage: Storage, namespace: str, kind: type[R]) -> None:
        self._storage = storage
        self._namespace = namespace
        self._kind = kind
        self._writing = asyncio.Lock()
        self._known: OrderedDict[str, tuple[float, bytes | None, R | None]] = OrderedDict()

    async def get(self, name: str, *, max_age_s: float = REFRESH_S) -> R | None:
        """Return a record, as it is, or was at most so long ago where another process changes it; None for none.

        Raises ``StorageUnavailable``.
        """
        known = self._known.get(name)
        if known is not None and time.monotonic() - known[0] < max_age_s:
            return known[2]
        return await self._read(name)

    async def change(self, name: str, changed: Callable[[R | None], R]) -> R:
        """Make a record of what is stored, and store it; again, where another process was faster.

        Raises what ``changed`` raises, and ``StorageUnavailable``.
        """
        async with self._writing:
            while True:
                found = await self._storage.read_record(self._namespace, name)
                version, value = (found.version, found.value) if found else (NO_RECORD, None)
                record = changed(self._parsed(name, value))
                with suppress(StorageConflict):  # another process was quicker
                    await self._put(name, record, if_version=version)
                    return record

    async def _put(self, name: str, record: R, *, if_version: str) -> None:
        value = record.model_dump_json().encode()
        await self._storage.put_record(self._namespace, name, value, if_version=if_version)
        self._keep(name, value, record)

    async def names(self) -> list[str]:
        """List all records. Raises ``StorageUnavailable``."""
        return list(await self._storage.list_records(self._namespace))

    async def _read(self, name: str) -> R | None:
        return self._parsed(name, await self._storage.get_record(self._namespace, name))

    def _parsed(self, name: str, value: bytes | None) -> R | None:
        known = self._known.get(name)
        if known is not None and known[1] == value:
            record = known[2]
        else:
            record = None if value is None else self._kind.model_validate_json(value)
        self._keep(name, value, record)
        return record

    def _keep(self, name: str, value: bytes | None, record: R | None) -> None:
        self._known[name] = time.monotonic(), value, record
        self._known.move_to_end(name)
        if len(self._known) > MAX_CACHED:
            self._known.popitem(last=False)
