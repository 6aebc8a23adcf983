"""The files that belong to a character, found in her card; nothing is fetched from anywhere."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from idolchat_characters.cards.archive_paths import embedded_path
from idolchat_characters.cards.media_types import EXTENSIONS, media_type_of
from idolchat_characters.character import CardAsset, Character
from idolchat_characters.errors import CardRefused

__all__ = ["CARD_IMAGE", "DEFAULT_ASSETS", "EmbeddedAsset", "asset_content", "embedded_assets", "main_icon"]

CARD_IMAGE = "ccdefault:"
DEFAULT_ASSETS = (CardAsset(type="icon", uri=CARD_IMAGE, name="main", ext="png"),)
"""What a card without the field has (V3, ``assets``)."""

DATA_URL: Final = re.compile(r"\s*data:[^,]{0,200},", re.IGNORECASE)
UNSAFE: Final = re.compile(r"[^a-z0-9]+")
MAX_STEM_LENGTH = 60
MAX_ESCAPES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedAsset:
    """A file of a character.

    ``file_name`` is unique among her assets and safe in any file system and address: ``emotion-happy.png``, of
    lower-case letters, digits and hyphens, with the extension of what the file is, or ``bin``. ``media_type`` is one of
    ``RASTER_TYPES`` by the first bytes, or None: such a file is only ever to be downloaded.
    """

    type: str
    name: str
    file_name: str
    media_type: str | None
    content: bytes


def embedded_assets(
    character: Character, *, files: Mapping[str, bytes], image: bytes | None
) -> tuple[EmbeddedAsset, ...]:
    """The assets of a character whose content is here, in the order of the card.

    ``files`` are those of the archive by path, ``image`` is the card's own. Assets elsewhere, missing or unreadable
    are left out; ``content_problems`` names them.
    """
    return tuple(_named(_found(character, files, image)))


def asset_content(asset: CardAsset, *, files: Mapping[str, bytes], image: bytes | None) -> bytes | None:
    """The content of an asset, or None where the card does not hold it.

    Raises ``CardRefused`` where its URI is malformed.
    """
    if asset.uri[: len(CARD_IMAGE)].lower() == CARD_IMAGE:
        return image
    if header := DATA_URL.match(asset.uri):
        return _decoded(header.group(), asset.uri[header.end() :])
    path = embedded_path(asset.uri)
    return None if path is None else files.get(path)


def main_icon(assets: tuple[EmbeddedAsset, ...]) -> EmbeddedAsset | None:
    """The picture of the character: her main icon, or else her first."""
    icons = [asset for asset in assets if asset.type.lower() == "icon"]
    return next((icon for icon in icons if icon.name.lower() == "main"), icons[0] if icons else None)


def _found(character: Character, files: Mapping[str, bytes], image: bytes | None) -> Iterator[tuple[CardAsset, bytes]]:
    for asset in DEFAULT_ASSETS if character.assets is None else character.assets:
        try:
            content = asset_content(asset, files=files, image=image)
        except CardRefused:
            continue
        if content is not None:
            yield asset, content


def _named(found: Iterator[tuple[CardAsset, bytes]]) -> Iterator[EmbeddedAsset]:
    counts: dict[str, int] = {}
    for asset, content in found:
        media_type = media_type_of(content)
        stem = UNSAFE.sub("-", f"{asset.type[:100]}-{asset.name[:100]}".lower()).strip("-")[:MAX_STEM_LENGTH] or "asset"
        counts[stem] = counts.get(stem, 0) + 1
        unique = stem if counts[stem] == 1 else f"{stem}--{counts[stem]}"  # no stem has two hyphens in a row
        file_name = f"{unique}.{EXTENSIONS[media_type] if media_type else 'bin'}"
        yield EmbeddedAsset(
            type=asset.type, name=asset.name, file_name=file_name, media_type=media_type, content=content
        )


def _decoded(header: str, content: str) -> bytes:
    """Decode a data URL (RFC 2397)."""
    if content.count("%") > MAX_ESCAPES:
        raise CardRefused(f"is a data URL of more than {MAX_ESCAPES:,} escapes: write it in base64", place="uri")
    if not header.rstrip(", ").lower().endswith(";base64"):
        return unquote_to_bytes(content)
    try:
        return base64.b64decode(unquote_to_bytes(content), validate=False)
    except binascii.Error as error:
        raise CardRefused("is a data URL that is no base64: embed the file anew", place="uri") from error
