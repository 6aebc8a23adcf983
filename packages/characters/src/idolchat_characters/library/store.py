"""Reads and writes the records of characters."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from idolchat_characters.errors import CharacterDamaged
from idolchat_characters.id_times import made_at
from idolchat_characters.library.records import (
    ASSETS,
    CHARACTERS,
    OWNER_NOTE,
    STARTER,
    CharacterRecord,
    asset_name,
    original_name,
    owner_note_name,
)
from idolchat_core import NO_RECORD, Storage

__all__ = ["CharacterStore"]

log = logging.getLogger(__name__)

AT_ONCE = 64
PAGE = 1000
MAX_CACHED = 256


class CharacterStore:
    """The records of characters in a storage, and those of their cards and files.

    A card and files are written before the character and removed after, so that a character that is there is whole.
    What reads one character raises ``CharacterDamaged`` for a record that cannot be read; what reads many goes on.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._read: OrderedDict[UUID, tuple[float, bytes, CharacterRecord]] = OrderedDict()
        self._told_damaged: set[UUID] = set()

    async def ids(self) -> set[UUID]:
        """List the ids of all characters."""
        return {UUID(name) async for name in self._names(CHARACTERS)}

    async def read(self, character_id: UUID, *, max_age_s: float = 0.0) -> CharacterRecord | None:
        """Read a character, as it was at most so long ago; one whose record has not changed is not parsed again."""
        known = self._read.get(character_id)
        if known is not None and time.monotonic() - known[0] < max_age_s:
            return known[2]
        value = await self._storage.get_record(CHARACTERS, str(character_id))
        if value is None:
            self._read.pop(character_id, None)
            return None
        record = known[2] if known and known[1] == value else _parsed(character_id, value)
        self._read[character_id] = (time.monotonic(), value, record)
        self._read.move_to_end(character_id)
        if len(self._read) > MAX_CACHED:
            self._read.popitem(last=False)
        return record

    async def read_stored(self, character_id: UUID) -> tuple[CharacterRecord, str] | None:
        """Read a character that is to be changed, with the version that her record has in the storage."""
        found = await self._storage.read_record(CHARACTERS, str(character_id))
        return found and (_parsed(character_id, found.value), found.version)

    async def read_into(self, put: Callable[[CharacterRecord], None], ids: Sequence[UUID]) -> None:
        """Read many characters and hand each over that can be read; the event loop goes on in between."""
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            values = await asyncio.gather(*(self._storage.get_record(CHARACTERS, str(each)) for each in some))
            for character_id, value in zip(some, values, strict=True):
                if value is not None and (record := self._readable(character_id, value)) is not None:
                    put(record)

    def _readable(self, character_id: UUID, value: bytes) -> CharacterRecord | None:
        try:
            return _parsed(character_id, value)
        except CharacterDamaged as error:
            if character_id not in self._told_damaged:
                self._told_damaged.add(character_id)
                log.warning("a character is left out", extra={"character_id": character_id, "reason": str(error)})
            return None

    async def write(self, record: CharacterRecord, *, if_version: str) -> None:
        """Write a character in place of what was read. Raises ``StorageConflict`` where that has changed."""
        value = record.model_dump_json().encode()
        await self._storage.put_record(CHARACTERS, str(record.id), value, if_version=if_version)
        self._read.pop(record.id, None)

    async def add(self, record: CharacterRecord, original: bytes, files: Mapping[str, bytes]) -> None:
        """Write a new character with her card and those of her files that the record names.

        Raises ``StorageConflict`` where there is one of her id.
        """
        await self._note_owner(record)
        if record.original is not None:
            await self._storage.put_record(ASSETS, original_name(record.id), original)
        for asset in record.assets:
            await self._storage.put_record(ASSETS, asset_name(record.id, asset.file_name), files[asset.file_name])
        await self.write(record, if_version=NO_RECORD)

    async def _note_owner(self, record: CharacterRecord) -> None:
        if record.user_id is not None and (record.original is not None or record.assets):
            await self._storage.put_record(ASSETS, owner_note_name(record.id), str(record.user_id).encode())

    @asynccontextmanager
    async def files_changed(
        self, before: CharacterRecord, after: CharacterRecord, files: Mapping[str, bytes]
    ) -> AsyncGenerator[None]:
        """Write the files that a change of a character brings, and remove those that it takes when it is made."""
        old = {asset.file_name for asset in before.assets}
        new = {asset.file_name for asset in after.assets}
        if new - old:
            await self._note_owner(after)
        for name in new - old:
            await self._storage.put_record(ASSETS, asset_name(after.id, name), files[name])
        yield  # a change that fails leaves them: another may just have brought the same
        await self._remove_assets([asset_name(after.id, name) for name in old - new])

    async def delete(self, character_id: UUID, *, if_version: str | None) -> None:
        """Remove a character with her card and files. Raises ``StorageConflict`` where she has changed."""
        await self._storage.delete_record(CHARACTERS, str(character_id), if_version=if_version)
        self._read.pop(character_id, None)
        names = [name async for name in self._names(ASSETS, prefix=f"{character_id}.")]
        note = owner_note_name(character_id)
        await self._remove_assets(sorted(names, key=lambda name: name == note))  # the note names what is left

    async def remove_left_of(self, owner_id: UUID) -> int:
        """Remove cards and files of a user's characters that are gone; returns of how many."""
        held, owner, left = await self.ids(), str(owner_id).encode(), set[UUID]()
        notes = [name async for name in self._names(ASSETS) if name.endswith(OWNER_NOTE)]
        for name in notes:
            character_id = UUID(name.partition(".")[0])
            if character_id not in held and await self._storage.get_record(ASSETS, name) == owner:
                left.add(character_id)
        await self._remove_assets([name async for name in self._names(ASSETS) if UUID(name.partition(".")[0]) in left])
        return len(left)

    async def _remove_assets(self, names: Sequence[str]) -> None:
        for name in names:
            await self._storage.delete_record(ASSETS, name)

    async def _names(self, namespace: str, *, prefix: str = "") -> AsyncGenerator[str]:
        after = prefix
        while names := await self._storage.list_records(namespace, after=after, limit=PAGE):
            for after in names:
                if not after.startswith(prefix):
                    return
                yield after

    async def has_offered_starter(self) -> bool:
        """Whether the character that comes with idolchat was ever added."""
        return await self._storage.get_record(STARTER, "offered") is not None

    async def note_starter(self) -> None:
        """Record that the starter character was added."""
        await self._storage.put_record(STARTER, "offered", b"{}")

    async def original(self, record: CharacterRecord) -> bytes | None:
        """Read the card that a character was imported from; None where it was made here."""
        return await self._storage.get_record(ASSETS, original_name(record.id)) if record.original else None

    async def asset(self, character_id: UUID, file_name: str) -> bytes | None:
        """Read a file of a character."""
        return await self._storage.get_record(ASSETS, asset_name(character_id, file_name))

    async def remove_orphans(self, *, older_than: datetime) -> int:
        """Remove cards and files of characters that are not there, whose id was made before a time."""
        held, orphans = await self.ids(), list[str]()
        async for name in self._names(ASSETS):
            character_id = UUID(name.partition(".")[0])
            made = made_at(character_id)
            if character_id not in held and (made is None or made < older_than):
                orphans.append(name)
        await self._remove_assets(orphans)
        return len(orphans)


def _parsed(character_id: UUID, value: bytes) -> CharacterRecord:
    try:
        return CharacterRecord.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise CharacterDamaged(character_id, f"{place}: {first['msg']}" if place else first["msg"]) from error
