"""Which character has a slug, as records: of several processes that want the same at once, one gets it."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from idolchat_characters.character import Character
from idolchat_characters.errors import CharacterDamaged
from idolchat_characters.library.index import slug_key
from idolchat_characters.library.records import SLUGS
from idolchat_characters.library.store import CharacterStore
from idolchat_core import NO_RECORD, Storage, StorageConflict, utc_now

__all__ = ["SlugClaims"]

GRACE = timedelta(minutes=1)
"""How long a slug is kept for a character who is about to be stored."""


class _Claim(BaseModel):
    """A slug of a character; ``user_id`` is the owner of one that is not public, with whom it is erased."""

    model_config = ConfigDict(frozen=True)

    slug: str
    character_id: UUID
    user_id: UUID | None
    claimed_at: AwareDatetime


class SlugClaims:
    """A record for each slug, made before its character is stored, and removed after she has lost it.

    It holds as long as the character has the slug: what a crash leaves behind is in nobody's way. Characters who were
    stored without a claim are known to the index alone.
    """

    def __init__(self, storage: Storage, store: CharacterStore) -> None:
        self._storage = storage
        self._store = store

    async def claim(self, character: Character, character_id: UUID) -> bool:
        """Claim the slug of a character; whether it is hers now. Raises ``StorageUnavailable``."""
        if character.slug is None:
            return True
        name = _name(character, character.slug)
        claim = _Claim(
            slug=character.slug,
            character_id=character_id,
            user_id=None if character.visibility == "public" else character.owner_id,
            claimed_at=utc_now(),
        )
        while True:
            found = await self._storage.read_record(SLUGS, name)
            if found is not None:
                held = _Claim.model_validate_json(found.value)
                if held.character_id != character_id and await self._holds(held, name):
                    return False
            version = found.version if found is not None else NO_RECORD
            try:
                await self._storage.put_record(SLUGS, name, claim.model_dump_json().encode(), if_version=version)
            except StorageConflict:  # another process was quicker: look who
                continue
            return True

    async def release(self, character: Character, character_id: UUID) -> None:
        """Release the slug that a character had. Raises ``StorageUnavailable``."""
        if character.slug is None:
            return
        name = _name(character, character.slug)
        found = await self._storage.read_record(SLUGS, name)
        if found is not None and _Claim.model_validate_json(found.value).character_id == character_id:
            try:
                await self._storage.delete_record(SLUGS, name, if_version=found.version)
            except StorageConflict:  # it is another's already
                return

    async def _holds(self, claim: _Claim, name: str) -> bool:
        try:
            record = await self._store.read(claim.character_id)
        except CharacterDamaged:  # hers again when her record is put back
            return True
        slug = record.character.slug if record is not None else None
        if record is not None and slug is not None and _name(record.character, slug) == name:
            return True
        return utc_now() - claim.claimed_at < GRACE


def _name(character: Character, slug: str) -> str:
    """Name the record of a slug, which is of any script, among those of its owner or the public ones."""
    owner_id, is_public, _ = slug_key(character, slug)
    whose = "public" if is_public else str(owner_id or "nobody")
    return f"{whose}.{blake2b(slug.encode(), digest_size=16).hexdigest()}"
