"""Tells an observer what any of several processes has changed in the storage that they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from itertools import batched
from uuid import UUID

from idolchat_core.coordination.contract import SharedStorage
from idolchat_core.errors import IdolchatError
from idolchat_core.storage.changes import Change, ChangeObserver, StoredChange

__all__ = ["SharedFeed"]

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
AT_ONCE = 16
TIMEOUT_S = 120.0
_PLACE = "since"


class SharedFeed:
    """What one observer of this process has still to be told of.

    Where its work is shared, the process that is chosen tells its own, from the place on where the one before stopped;
    else every process tells its own, and at its start of everything.
    """

    def __init__(self, storage: SharedStorage, name: str, observer: ChangeObserver) -> None:
        self._storage = storage
        self._name = name
        self._observer = observer
        self._namespace = f"changes.{name}"
        self._pending: dict[UUID, StoredChange] = {}
        self._since: str | None = None
        self._has_begun = False
        self._failed = 0

    @property
    def failing(self) -> Mapping[str, str]:
        """What cannot be told now, and why."""
        if not self._failed:
            return {}
        what = "1 conversation" if self._failed == 1 else f"{self._failed} conversations"
        return {f"observer {self._name}": f"it fails on {what}; the log says why"}

    async def run(self) -> None:
        """Look for changes again and again."""
        while True:
            try:
                await self.look()
            except IdolchatError as error:
                log.info("changes cannot be looked for now", extra={"observer": self._name, "code": error.code})
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Deliver what has changed since the last call. Raises ``StorageUnavailable``."""
        if self._observer.is_shared and not await self._storage.is_chosen(f"observer {self._name}"):
            self._has_begun = False
            return
        if not self._has_begun:
            await self._begin()
        since = self._since
        async for page in self._storage.changes(self._since):
            self._pending |= {change.conversation_id: change for change in page.changes}
            await self._tell()
            self._since = page.next
        if self._observer.is_shared and self._since is not None and self._since != since and not self._pending:
            await self._storage.put_record(self._namespace, _PLACE, self._since.encode(), durable=False)

    async def _begin(self) -> None:
        """Find where to go on from, and what was deleted while nobody looked."""
        self._since = None
        if self._observer.is_shared:
            kept = await self._storage.get_record(self._namespace, _PLACE)
            self._since = kept.decode() if kept else None
        known = set(await self._observer.known())
        for conversation_id in known - set(await self._storage.list_ids()) if known else ():
            self._pending[conversation_id] = StoredChange(conversation_id, None)
        self._has_begun = True

    async def _tell(self) -> None:
        self._failed = 0
        for some in batched(list(self._pending.values()), AT_ONCE):
            await asyncio.gather(*map(self._tell_one, some))

    async def _tell_one(self, change: StoredChange) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                noted = await self._observer.noted(change.conversation_id)
                if noted != change.revision:
                    kinds = change.kinds_since(noted)
                    told = Change(conversation_id=change.conversation_id, revision=change.revision, kinds=kinds)
                    await self._observer.note(told)
        except Exception as error:  # an observer is a plugin: whatever it raises, it is told again
            self._failed += 1
            facts = {"observer": self._name, "conversation_id": str(change.conversation_id)}
            log.warning("an observer failed on a change, which is told again", extra=facts, exc_info=error)
            return
        del self._pending[change.conversation_id]
