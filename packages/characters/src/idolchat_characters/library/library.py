"""The library of characters: what is stored, read, changed and deleted, and by whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from idolchat_characters.cards import CardFormat, CardLimits, CardReading, read_card, write_card
from idolchat_characters.character import Character
from idolchat_characters.errors import CharacterDamaged, VersionConflict
from idolchat_characters.kept_records import REFRESH_S
from idolchat_characters.library.access import OPERATOR, Viewer
from idolchat_characters.library.index import CharacterIndex, CharacterPage, slug_key
from idolchat_characters.library.new_characters import Belongings, check_rights, embedded, new_record, with_changes
from idolchat_characters.library.records import CharacterRecord, StoredAsset, owner_in
from idolchat_characters.library.room import check_room, slug_taken, slugs_for
from idolchat_characters.library.slug_claims import SlugClaims
from idolchat_characters.library.store import CharacterStore
from idolchat_characters.settings import CharactersSettings
from idolchat_characters.slugs import slug_of
from idolchat_characters.starter import STARTER_ID, starter_card
from idolchat_characters.window_fit import FIXED_FIELDS, FitCheck
from idolchat_core import Storage, StorageConflict, StorageUnavailable, read_settings, utc_now

__all__ = ["CharacterLibrary", "library_of"]

LOOK_AGAIN_S = 0.2
"""A slug that is unknown is looked for again so soon: another process may have made the character just now."""


class CharacterLibrary:
    """The characters in a storage.

    Writers of one process take turns, and what another process has changed meanwhile is read again: no change is lost.
    The methods that take a ``viewer`` return None for a character that this viewer may not know of, as for an unknown
    one, and raise ``StorageUnavailable``.
    """

    def __init__(self, storage: Storage, settings: CharactersSettings) -> None:
        self.settings = settings
        self._store = CharacterStore(storage)
        self._slugs = SlugClaims(storage, self._store)
        self._index = CharacterIndex()
        self._writing = asyncio.Lock()
        self._loading = asyncio.Lock()
        self._reading = asyncio.Semaphore(2)  # each may take a few times the card's size in memory
        self._looked_at: float | None = None

    async def load(self, *, max_age_s: float = REFRESH_S) -> None:
        """Find characters that came and went by another process; the first time, all of them."""
        async with self._loading:
            if self._looked_at is not None and asyncio.get_running_loop().time() - self._looked_at < max_age_s:
                return
            names = await self._store.ids()
            for character_id in [held for held in self._index if held not in names]:
                self._index.discard(character_id)
            await self._store.read_into(self._index.put, [held for held in names if held not in self._index])
            self._looked_at = asyncio.get_running_loop().time()

    async def remove_orphans(self) -> int:
        """Remove cards and files of characters that were erased with their owner, or never finished.

        Those of the last day are left, as a character may be about to come. Returns how many were removed.
        """
        return await self._store.remove_orphans(older_than=utc_now() - ORPHAN_AGE)

    async def offer_starter(self) -> CharacterRecord | None:
        """Add the character that comes with idolchat where there is none, and never was one; deleted, she stays away.

        Returns her where she was added.
        """
        if not self.settings.starter or await self._store.ids() or await self._store.has_offered_starter():
            return None
        reading = await asyncio.to_thread(read_card, content := starter_card())
        public = reading.character.model_copy(update={"visibility": "public", "slug": slug_of(reading.character.name)})
        held = Belongings.of(reading, content, max_asset_bytes=self.settings.max_asset_bytes)
        record = new_record(public, held, character_id=STARTER_ID)
        await self._slugs.claim(public, STARTER_ID)
        with suppress(StorageConflict):  # another process has just added her
            await self._store.add(record, held.card, held.files)
        await self._store.note_starter()
        self._index.put(record)
        return record

    async def list(
        self,
        viewer: Viewer,
        *,
        tag: str | None = None,
        text: str | None = None,
        owner_id: UUID | None = None,
        limit: int = 20,
        before: UUID | None = None,
    ) -> CharacterPage:
        """List the characters that a viewer may see, newest first; see ``CharacterIndex.page``."""
        await self.load()
        return self._index.page(viewer, tag=tag, text=text, owner_id=owner_id, limit=limit, before=before)

    async def newest(self, limit: int) -> Sequence[CharacterRecord]:
        """Read the newest characters, whoever's they are, but those that cannot be read."""
        found: list[CharacterRecord] = []
        await self._store.read_into(found.append, sorted(await self._store.ids(), reverse=True)[:limit])
        return found

    async def everyone(self) -> AsyncGenerator[CharacterRecord | CharacterDamaged]:
        """Read all characters, whoever's they are, the oldest first; an error for one that cannot be read."""
        for held in sorted(await self._store.ids()):
            try:
                record = await self._store.read(held)
            except CharacterDamaged as error:
                yield error
            else:
                if record is not None:
                    yield record

    async def count(self) -> int:
        """Count all characters."""
        return len(await self._store.ids())

    async def owned_by(self, owner_id: UUID) -> Sequence[CharacterRecord]:
        """Read all characters of a user, but those that cannot be read."""
        await self.load()
        found: list[CharacterRecord] = []
        await self._store.read_into(found.append, self._index.owned_by(owner_id))
        return found

    async def forget_owner(self, owner_id: UUID) -> int:
        """Leave a user's public characters to nobody, and remove the others with cards and files.

        Returns how many characters that were, and of how many that are gone already what was left is removed.
        """
        records = await self.owned_by(owner_id)
        for record in records:
            if record.character.visibility == "public":
                await self.update(record, {"owner_id": None}, OPERATOR)
            else:
                await self.delete(record)
        return len(records) + await self._store.remove_left_of(owner_id)

    async def find(self, name: str, viewer: Viewer, *, max_age_s: float = 0.0) -> CharacterRecord | None:
        """Read a character by its id or slug; see ``get``."""
        try:
            character_id: UUID | None = UUID(name)
        except ValueError:
            await self.load()
            character_id = self._index.named(name, viewer)
            if character_id is None:  # she may have come just now
                await self.load(max_age_s=LOOK_AGAIN_S)
                character_id = self._index.named(name, viewer)
        return None if character_id is None else await self.get(character_id, viewer, max_age_s=max_age_s)

    async def get(self, character_id: UUID, viewer: Viewer, *, max_age_s: float = 0.0) -> CharacterRecord | None:
        """Read a character by its id, as it is, or was at most so long ago where another process changes it."""
        record = await self._store.read(character_id, max_age_s=max_age_s)
        if record is None:
            if character_id in self._index:
                self._index.discard(character_id)
            return None
        if self._index.version(character_id) != record.version:
            self._index.put(record)
        return record if viewer.may_use(record.character) else None

    async def create(self, character: Character, viewer: Viewer, *, fits: FitCheck | None = None) -> CharacterRecord:
        """Store a new character. Raises ``InvalidRequest``, ``SlugTaken``, and ``CardTooLong`` by ``fits``."""
        return await self._add(character, viewer, Belongings(), fits)

    async def create_from(
        self, fields: Mapping[str, Any], viewer: Viewer, *, fits: FitCheck | None = None
    ) -> CharacterRecord:
        """Store a new character of these fields; see ``create``."""
        character = with_changes(None, fields)
        held = embedded(character, None, max_asset_bytes=self.settings.max_asset_bytes)
        return await self._add(character, viewer, held, fits)

    async def import_card(
        self,
        content: bytes,
        viewer: Viewer,
        *,
        fields: Mapping[str, Any] | None = None,
        fits: FitCheck | None = None,
    ) -> tuple[CharacterRecord, CardReading]:
        """Store the character of a card, with the card itself and its files.

        ``fields`` are those that no card sets, such as ``visibility``. Raises ``CardRefused``, ``InvalidRequest``,
        ``SlugTaken``, and ``CardTooLong`` by ``fits``.
        """
        limits = CardLimits(file_bytes=self.settings.max_import_bytes)
        async with self._reading:
            reading = await asyncio.to_thread(read_card, content, limits=limits)
        character = with_changes(reading.character, fields or {})
        held = Belongings.of(reading, content, max_asset_bytes=self.settings.max_asset_bytes)
        return await self._add(character, viewer, held, fits), reading

    async def duplicate(
        self, record: CharacterRecord, viewer: Viewer, *, fields: Mapping[str, Any] | None = None
    ) -> CharacterRecord:
        """Store a copy of a character, card and files included, with other values of some fields.

        Without a slug in ``fields`` the copy gets one of its own. What a user copies is private and theirs; an
        operator's copy has the owner and visibility of the original. Raises ``InvalidRequest``, ``SlugTaken`` and
        ``TooManyCharacters``.
        """
        character = record.character.model_copy(update={"slug": None})
        if not viewer.is_operator:
            character = character.model_copy(update={"owner_id": viewer.user_id, "visibility": "private"})
        given = fields or {}
        held = await (self._with_files(record, given) if "assets" in given else self._files_of(record))
        held = replace(held, original=record.original, card=await self._store.original(record) or b"")
        return await self._add(with_changes(character, given), viewer, held, None)

    async def update(
        self,
        record: CharacterRecord,
        changes: Mapping[str, Any],
        viewer: Viewer,
        *,
        version: int | None = None,
        fits: FitCheck | None = None,
    ) -> CharacterRecord:
        """Change fields of a character, by their names; ``version`` is the one that the change is meant for.

        Of two processes that change a character at once, the second repeats its change upon that of the first. With
        ``assets``, the files that they hold as data URLs are kept beside her. Raises ``InvalidRequest``, ``SlugTaken``,
        ``VersionConflict``, and ``CardTooLong`` by ``fits``, which is asked where a text is changed that it looks at.
        """
        if fits is not None and not changes.keys().isdisjoint((*FIXED_FIELDS, "model")):
            await fits(with_changes(record.character, changes))
        async with self._writing:
            while True:
                current, stored_version = await self._stored(record, version)
                held = await self._with_files(current, changes) if "assets" in changes else None
                changed = self._updated(current, changes, viewer, held)
                if not await self._has_slug(changed, before=current):
                    raise slug_taken(changed.character)
                with suppress(StorageConflict):  # another process was quicker: once more, on what it has written
                    try:
                        async with self._store.files_changed(current, changed, held.files if held else {}):
                            await self._store.write(changed, if_version=stored_version)
                    except StorageUnavailable:  # it may be stored all the same, and is read again
                        self._index.discard(changed.id)
                        self._looked_at = None
                        raise
                    self._index.put(changed)
                    await self._release_slug(current, now=changed)
                    return changed

    async def delete(self, record: CharacterRecord, *, version: int | None = None) -> None:
        """Delete a character with her card and files; her conversations stay. Raises ``VersionConflict``."""
        async with self._writing:
            while await self._store.read_stored(record.id) is not None:
                current, stored_version = await self._stored(record, version)
                with suppress(StorageConflict):
                    await self._store.delete(current.id, if_version=stored_version)
                    await self._slugs.release(current.character, current.id)
            self._index.discard(record.id)

    async def delete_damaged(self, character_id: UUID) -> None:
        """Delete a character whose record cannot be read, with her card and files."""
        async with self._writing:
            await self._store.delete(character_id, if_version=None)
            self._index.discard(character_id)

    async def _has_slug(self, changed: CharacterRecord, *, before: CharacterRecord) -> bool:
        """Claim the slug of a character who gets another one, or hers among others."""
        character = changed.character
        if character.slug is None or _slug(character) == _slug(before.character):
            return True
        if self._index.holder(character, character.slug) not in (None, changed.id):
            return False
        return await self._slugs.claim(character, changed.id)

    async def _release_slug(self, before: CharacterRecord, *, now: CharacterRecord) -> None:
        if _slug(before.character) != _slug(now.character):
            await self._slugs.release(before.character, before.id)

    async def _stored(self, record: CharacterRecord, version: int | None) -> tuple[CharacterRecord, str]:
        """Read what is to be changed. Raises ``VersionConflict`` unless it has the version that is meant."""
        found = await self._store.read_stored(record.id)
        there = found[0].version if found else None
        if found is None or version not in (None, there):
            raise VersionConflict(record.id, wanted=version or record.version, found=there)
        return found

    async def _files_of(self, record: CharacterRecord) -> Belongings:
        """Read the files of a character; one that is missing is left out."""
        files = {asset.file_name: await self._store.asset(record.id, asset.file_name) for asset in record.assets}
        return Belongings(
            assets=tuple(asset for asset in record.assets if files[asset.file_name] is not None),
            files={name: content for name, content in files.items() if content is not None},
        )

    async def _with_files(self, current: CharacterRecord, changes: Mapping[str, Any]) -> Belongings:
        """Find the files of a character whose assets are changed: in data URLs, and in the card she came from."""
        original = await self._store.original(current)
        limits = CardLimits(file_bytes=self.settings.max_import_bytes)
        async with self._reading:
            card = await asyncio.to_thread(read_card, original, limits=limits) if original else None
        changed = with_changes(current.character, changes)
        return embedded(changed, card, max_asset_bytes=self.settings.max_asset_bytes)

    def _updated(
        self, current: CharacterRecord, changes: Mapping[str, Any], viewer: Viewer, held: Belongings | None = None
    ) -> CharacterRecord:
        character = with_changes(current.character, changes)
        check_rights(character, viewer, before=current.character)
        update: dict[str, Any] = {
            "version": current.version + 1,
            "updated_at": utc_now(),
            "user_id": owner_in(character),
        }
        if held is not None:
            update["assets"] = held.assets
        changed = current.model_copy(update={**update, "character": character})
        check_room(changed, viewer, self._index, self.settings, instead_of=current)
        return changed

    async def export(self, record: CharacterRecord, card_format: CardFormat | None = None) -> tuple[bytes, CardFormat]:
        """Write a character as a card, byte for byte the original where it was not edited.

        Without a format it is that of the original, and JSON where there is none. Raises ``CardRefused``.
        """
        original = await self._store.original(record)
        chosen = card_format or (record.original.format if record.original and original else "json")
        return await asyncio.to_thread(write_card, record.character, chosen, original=original), chosen

    async def asset(self, record: CharacterRecord, file_name: str) -> tuple[StoredAsset, bytes] | None:
        """Read a file of a character; None where there is none of this name."""
        described = next((asset for asset in record.assets if asset.file_name == file_name), None)
        content = await self._store.asset(record.id, file_name) if described else None
        return (described, content) if described and content is not None else None

    async def _add(
        self, character: Character, viewer: Viewer, held: Belongings, fits: FitCheck | None
    ) -> CharacterRecord:
        if fits is not None:
            await fits(character)
        await self.load()
        if character.owner_id is None and viewer.user_id is not None and not viewer.is_operator:
            character = character.model_copy(update={"owner_id": viewer.user_id})
        check_rights(character, viewer, before=None)
        async with self._writing:
            record = new_record(character, held)
            check_room(record, viewer, self._index, self.settings)
            record = record.model_copy(update={"character": await self._with_slug(character, record.id)})
            await self._store.add(record, held.card, held.files)
            self._index.put(record)
            return record

    async def _with_slug(self, character: Character, character_id: UUID) -> Character:
        for named in slugs_for(character, self._index):
            if await self._slugs.claim(named, character_id):
                return named
        raise slug_taken(character)


def _slug(character: Character) -> object:
    return character.slug and slug_key(character, character.slug)


ORPHAN_AGE = timedelta(days=1)

_libraries: WeakKeyDictionary[Storage, CharacterLibrary] = WeakKeyDictionary()


def library_of(storage: Storage) -> CharacterLibrary:
    """Return the library of a storage, the same for all who ask. Raises ``ConfigurationError``."""
    if storage not in _libraries:
        _libraries[storage] = CharacterLibrary(storage, read_settings(CharactersSettings))
    return _libraries[storage]
