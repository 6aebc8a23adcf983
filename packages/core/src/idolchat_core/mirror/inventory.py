"""What a mirror may hold and the primary not: anything, until the mirror was asked what it has."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from idolchat_core.mirror.connection import of_mirror
from idolchat_core.mirror.outbox import Outbox, Subject
from idolchat_core.models import is_made_here, new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.records import RecordKey

__all__ = ["Inventory", "record_keys"]

_IDENTITY = ("mirror", "identity")
"""A record in the mirror that goes with what it holds: one that was lost and made anew has none, or another."""
_PAGE = 1000
_ID_DIGITS = 36


class Inventory:
    """The conversations and the records of ``namespaces`` that only the mirror has, as records of the primary.

    A data folder without these may be one that was lost and made anew: then nothing that is missing in it is believed
    not to exist, except what this process has only just made an id for.
    """

    def __init__(self, storage: Storage, mirror: str, namespaces: Collection[str] = ()) -> None:
        self._storage = storage
        self._namespace = f"mirror.{mirror}"
        self.namespaces = frozenset(namespaces)
        self._ids: set[UUID] | None = None
        self._records: set[RecordKey] = set()
        self._asked_for: frozenset[str] = frozenset()
        self._copied: frozenset[str] = frozenset()
        self._is_written = True
        self._identity: bytes | None = None
        self._found_identity: bytes | None = None

    @property
    def is_known(self) -> bool:
        """Whether the mirror was asked for all of it."""
        return self._ids is not None and self._asked_for >= self.namespaces

    def may_hold(self, subject: Subject) -> bool:
        """Return whether the mirror is to be asked for what the primary does not have."""
        if isinstance(subject, RecordKey):
            # A namespace that is new on data that are known was never copied from here.
            if subject.namespace in self._asked_for or self._ids is not None:
                return subject in self._records
            return not _is_new(subject.name)
        return subject in self._ids if self._ids is not None else not is_made_here(subject)

    async def read(self) -> None:
        """Load the records that an earlier process wrote. Raises ``StorageUnavailable``."""
        value = await self._storage.get_record(self._namespace, "elsewhere")
        if value is not None and len(value) % 16 == 0:
            self._ids = {UUID(bytes=value[start : start + 16]) for start in range(0, len(value), 16)}
        asked_for, *records = await self._lines("elsewhere.records")
        self._asked_for = frozenset(asked_for.split())
        self._records = {RecordKey(*line.split("/", 1)) for line in records}
        [copied] = await self._lines("copied")
        self._copied = frozenset(copied.split())
        self._identity = await self._storage.get_record(self._namespace, "identity")

    async def is_same(self, mirror: Storage) -> bool:
        """Return whether a mirror is the one that got everything. Raises ``StorageUnavailable``."""
        self._found_identity = await mirror.get_record(*_IDENTITY)
        is_known = self._found_identity is not None and self._found_identity == self._identity
        return is_known and self._copied >= self.namespaces

    async def identify(self, mirror: Storage) -> None:
        """Return a mirror that has none an identity, to be noted when it has got everything."""
        if self._found_identity is None:
            self._found_identity = new_id().hex.encode()
            await mirror.put_record(*_IDENTITY, self._found_identity)

    async def note_identity(self) -> None:
        """Record that the mirror has got everything. Raises ``StorageUnavailable``."""
        if self._found_identity is not None:
            await self._write("copied", " ".join(sorted(self.namespaces)))
            await self._storage.put_record(self._namespace, "identity", self._found_identity)
            self._identity, self._copied = self._found_identity, self.namespaces

    async def survey(self, mirror: Storage, outbox: Outbox) -> set[Subject]:
        """List what the mirror has, and return what it lacks.

        Raises ``MirrorFailed`` when it cannot tell, ``StorageUnavailable`` when the primary cannot.
        """
        async with of_mirror():
            await mirror.check()
            ids = set(await mirror.list_ids())
            records = await record_keys(mirror, self.namespaces)
            await mirror.check()  # still well: that nothing was listed was no sign of a fault
        my_ids = set(await self._storage.list_ids())
        my_records = await record_keys(self._storage, self.namespaces)
        noted = set(outbox)
        self._ids, self._records = ids - my_ids - noted, records - my_records - noted
        self._asked_for = self.namespaces
        self._is_written = False
        await self.write()
        return {*(my_ids - ids), *(my_records - records)}

    def discard(self, subject: Subject) -> None:
        """Record that something is in the primary too, or in neither."""
        if isinstance(subject, RecordKey):
            self._is_written = self._is_written and subject not in self._records
            self._records.discard(subject)
        elif self._ids is not None and subject in self._ids:
            self._ids.remove(subject)
            self._is_written = False

    async def write(self) -> None:
        """Record what was learnt. Raises ``StorageUnavailable``."""
        if not self._is_written and self._ids is not None:
            await self._write("elsewhere.records", " ".join(sorted(self._asked_for)), *map(str, sorted(self._records)))
            value = b"".join(conversation_id.bytes for conversation_id in self._ids)
            await self._storage.put_record(self._namespace, "elsewhere", value)
            self._is_written = True

    async def _lines(self, name: str) -> list[str]:
        return (await self._storage.get_record(self._namespace, name) or b"").decode().split("\n")

    async def _write(self, name: str, *lines: str) -> None:
        await self._storage.put_record(self._namespace, name, "\n".join(lines).encode())


async def record_keys(storage: Storage, namespaces: Iterable[str]) -> set[RecordKey]:
    """List the records of some namespaces. Raises ``StorageUnavailable``."""
    found: set[RecordKey] = set()
    for namespace in namespaces:
        after = ""
        while names := await storage.list_records(namespace, after=after, limit=_PAGE):
            found.update(RecordKey(namespace, name) for name in names)
            after = names[-1]
    return found


def _is_new(name: str) -> bool:
    """Return whether a record's name begins with an id that was just made here."""
    try:
        return is_made_here(UUID(name[:_ID_DIGITS]))
    except ValueError:
        return False
