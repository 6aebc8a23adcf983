"""A character as it is kept: one record, and one more for its original card and for each of its files."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from idolchat_characters.cards import CardFormat, EmbeddedAsset
from idolchat_characters.character import Character

__all__ = [
    "ASSETS",
    "CHARACTERS",
    "OWNER_NOTE",
    "SLUGS",
    "STARTER",
    "CharacterRecord",
    "OriginalCard",
    "StoredAsset",
    "asset_name",
    "original_name",
    "owner_in",
    "owner_note_name",
]

CHARACTERS: Final = "characters"
ASSETS: Final = "assets"
SLUGS: Final = "character-slugs"
STARTER: Final = "starter"
"""Namespaces of the storage."""

OWNER_NOTE: Final = ".owner"


class StoredAsset(BaseModel):
    """A file of a character that is kept beside it.

    ``file_name`` is unique among the character's and safe in an address; ``media_type`` is that of a raster image, or
    null for a file that is only ever to be downloaded.
    """

    model_config = ConfigDict(frozen=True)

    type: str
    name: str
    file_name: str
    media_type: str | None
    size_bytes: int

    @classmethod
    def of(cls, asset: EmbeddedAsset) -> StoredAsset:
        """Describe a file of a card."""
        return cls(
            type=asset.type,
            name=asset.name,
            file_name=asset.file_name,
            media_type=asset.media_type,
            size_bytes=len(asset.content),
        )


class OriginalCard(BaseModel):
    """The card that a character was imported from; ``digest`` is the SHA-256 of its bytes in hexadecimal."""

    model_config = ConfigDict(frozen=True)

    format: CardFormat
    digest: str
    size_bytes: int


class CharacterRecord(BaseModel):
    """A stored character.

    ``version`` begins with 1 and grows by 1 with each change. ``user_id`` is the owner of a character that is not
    public: what is erased with a user is found by it.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    user_id: UUID | None = None
    character: Character
    original: OriginalCard | None = None
    assets: tuple[StoredAsset, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes of the character's texts, the original card and the files."""
        kept = (self.original.size_bytes if self.original else 0) + sum(asset.size_bytes for asset in self.assets)
        return kept + len(self.character.model_dump_json())

    @property
    def icon(self) -> str | None:
        """The file name of the character's picture: the main icon, or else the first."""
        icons = [asset for asset in self.assets if asset.type.lower() == "icon" and asset.media_type]
        main = next((icon for icon in icons if icon.name.lower() == "main"), icons[0] if icons else None)
        return main.file_name if main else None


def owner_in(character: Character) -> UUID | None:
    """Return the user with whom a character is erased; a public one stays."""
    return None if character.visibility == "public" else character.owner_id


def original_name(character_id: UUID) -> str:
    """Return the name of the record of an original card."""
    return f"{character_id}.card"


def asset_name(character_id: UUID, file_name: str) -> str:
    """Return the name of the record of a file."""
    return f"{character_id}.file.{file_name}"


def owner_note_name(character_id: UUID) -> str:
    """Return the name of the record that says whose card and files these are, when the character is gone."""
    return f"{character_id}{OWNER_NOTE}"
