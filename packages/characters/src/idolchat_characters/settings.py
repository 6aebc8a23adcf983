"""The settings of characters."""

from __future__ import annotations

from pydantic import Field

from idolchat_core import PackageSettings

__all__ = ["CharactersSettings"]

MIB = 1024 * 1024


class CharactersSettings(PackageSettings):
    """How much may be imported and kept."""

    max_import_bytes: int = Field(
        64 * MIB,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_IMPORT_BYTES",
        ge=1024,
        le=64 * MIB,
        description="How large a card may be that is imported, in bytes.",
    )
    max_asset_bytes: int = Field(
        16 * MIB,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_ASSET_BYTES",
        ge=1024,
        le=64 * MIB,
        description="How large a file of a card may be that is served, in bytes; a larger one stays in the card alone.",
    )
    max_per_user: int = Field(
        100,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_PER_USER",
        ge=0,
        description="How many characters a user may have.",
    )
    max_user_bytes: int = Field(
        256 * MIB,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_USER_BYTES",
        ge=0,
        description="How many bytes a user's characters may take, cards and files included.",
    )
    starter: bool = Field(
        True,
        validation_alias="IDOLCHAT_CHARACTERS_STARTER",
        description="Whether a storage that never had a character begins with the one that comes with idolchat.",
    )
    max_personas: int = Field(
        50,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_PERSONAS",
        ge=0,
        le=1000,
        description="How many personas a user may have.",
    )
    max_books: int = Field(
        50,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_BOOKS",
        ge=0,
        le=1000,
        description="How many lorebooks a user may have, those of their conversations included; the server as many.",
    )
    max_book_bytes: int = Field(
        4 * MIB,
        validation_alias="IDOLCHAT_CHARACTERS_MAX_BOOK_BYTES",
        ge=1024,
        le=64 * MIB,
        description="How large a lorebook may be, in bytes.",
    )
