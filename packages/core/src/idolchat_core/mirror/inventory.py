"""Which conversations a mirror may hold and the primary not: all, until the mirror was asked which it has."""

from __future__ import annotations

import time
from uuid import UUID

from idolchat_core.mirror.outbox import Outbox
from idolchat_core.storage.contract import Storage

__all__ = ["Inventory"]

_JUST_NOW_S = 60.0


class Inventory:
    """The ids that only the mirror has, a record of the primary.

    A data folder without that record may be one that was lost and made anew: then nothing that is missing in it is
    believed not to exist, except ids that have only just been made.
    """

    def __init__(self, storage: Storage, mirror: str) -> None:
        self._storage = storage
        self._namespace = f"mirror.{mirror}"
        self._ids: set[UUID] | None = None
        self._is_written = True

    @property
    def is_known(self) -> bool:
        """Tell whether the mirror was asked."""
        return self._ids is not None

    def may_hold(self, conversation_id: UUID) -> bool:
        """Tell whether the mirror is to be asked for a conversation that the primary does not have."""
        if self._ids is not None:
            return conversation_id in self._ids
        return not _is_just_made(conversation_id)

    async def read(self) -> None:
        """Take up what was noted. Raises ``StorageUnavailable``."""
        value = await self._storage.get_record(self._namespace, "elsewhere")
        if value is not None and len(value) % 16 == 0:
            self._ids = {UUID(bytes=value[start : start + 16]) for start in range(0, len(value), 16)}

    async def survey(self, mirror: Storage, outbox: Outbox) -> None:
        """Ask the mirror which it has. Raises ``StorageUnavailable`` when one of the two cannot tell."""
        await mirror.check()
        theirs = set(await mirror.list_ids())
        await mirror.check()  # still well: that nothing was listed was no sign of a fault
        mine = await self._storage.list_ids()
        self._ids = theirs.difference(mine, outbox)
        self._is_written = False
        await self.write()

    def discard(self, conversation_id: UUID) -> None:
        """Learn that a conversation is in the primary too, or in neither."""
        if self._ids is not None and conversation_id in self._ids:
            self._ids.remove(conversation_id)
            self._is_written = False

    async def write(self) -> None:
        """Note what was learnt. Raises ``StorageUnavailable``."""
        if not self._is_written and self._ids is not None:
            value = b"".join(conversation_id.bytes for conversation_id in self._ids)
            await self._storage.put_record(self._namespace, "elsewhere", value)
            self._is_written = True


def _is_just_made(conversation_id: UUID) -> bool:
    """Tell whether an id was made by this minute's clock (UUIDv7, RFC 9562), so that no mirror can know it yet."""
    return conversation_id.version == 7 and abs(time.time() - (conversation_id.int >> 80) / 1000) < _JUST_NOW_S
