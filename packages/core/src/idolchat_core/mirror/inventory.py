"""Which conversations a mirror may hold and the primary not: all, until the mirror was asked which it has."""

from __future__ import annotations

from uuid import UUID

from idolchat_core.mirror.connection import of_mirror
from idolchat_core.mirror.outbox import Outbox
from idolchat_core.models import is_made_here, new_id
from idolchat_core.storage.contract import Storage

__all__ = ["Inventory"]

_IDENTITY = ("mirror", "identity")
"""A record in the mirror that goes with what it holds: one that was lost and made anew has none, or another."""


class Inventory:
    """The ids that only the mirror has, a record of the primary.

    A data folder without that record may be one that was lost and made anew: then nothing that is missing in it is
    believed not to exist, except ids that this process has only just made.
    """

    def __init__(self, storage: Storage, mirror: str) -> None:
        self._storage = storage
        self._namespace = f"mirror.{mirror}"
        self._ids: set[UUID] | None = None
        self._is_written = True
        self._identity: bytes | None = None
        self._found_identity: bytes | None = None

    @property
    def is_known(self) -> bool:
        """Whether the mirror was asked."""
        return self._ids is not None

    def may_hold(self, conversation_id: UUID) -> bool:
        """Return whether the mirror is to be asked for a conversation that the primary does not have."""
        if self._ids is not None:
            return conversation_id in self._ids
        return not is_made_here(conversation_id)

    async def read(self) -> None:
        """Take up what was noted. Raises ``StorageUnavailable``."""
        value = await self._storage.get_record(self._namespace, "elsewhere")
        if value is not None and len(value) % 16 == 0:
            self._ids = {UUID(bytes=value[start : start + 16]) for start in range(0, len(value), 16)}

        self._identity = await self._storage.get_record(self._namespace, "identity")

    async def is_same(self, mirror: Storage) -> bool:
        """Return whether a mirror is the one that got everything. Raises ``StorageUnavailable``."""
        self._found_identity = await mirror.get_record(*_IDENTITY)
        return self._found_identity is not None and self._found_identity == self._identity

    async def identify(self, mirror: Storage) -> None:
        """Return a mirror that has none an identity, to be noted when it has got everything."""
        if self._found_identity is None:
            self._found_identity = new_id().hex.encode()
            await mirror.put_record(*_IDENTITY, self._found_identity)

    async def note_identity(self) -> None:
        """Record that the mirror has got everything. Raises ``StorageUnavailable``."""
        if self._found_identity is not None:
            await self._storage.put_record(self._namespace, "identity", self._found_identity)
            self._identity = self._found_identity

    async def survey(self, mirror: Storage, outbox: Outbox) -> set[UUID]:
        """Ask the mirror which it has, and give those that it lacks.

        Raises ``MirrorFailed`` when it cannot tell, ``StorageUnavailable`` when the primary cannot.
        """
        async with of_mirror():
            await mirror.check()
            theirs = set(await mirror.list_ids())
            await mirror.check()  # still well: that nothing was listed was no sign of a fault
        mine = set(await self._storage.list_ids())
        self._ids = theirs.difference(mine, outbox)
        self._is_written = False
        await self.write()
        return mine - theirs

    def discard(self, conversation_id: UUID) -> None:
        """Learn that a conversation is in the primary too, or in neither."""
        if self._ids is not None and conversation_id in self._ids:
            self._ids.remove(conversation_id)
            self._is_written = False

    async def write(self) -> None:
        """Record what was learnt. Raises ``StorageUnavailable``."""
        if not self._is_written and self._ids is not None:
            value = b"".join(conversation_id.bytes for conversation_id in self._ids)
            await self._storage.put_record(self._namespace, "elsewhere", value)
            self._is_written = True
