"""Writing a card: from a character to the bytes of a file."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import NamedTuple

from idolchat_characters.cards.archive_paths import CARD_PATH, EMBEDDED, embedded_path, safe_path
from idolchat_characters.cards.assets import CARD_IMAGE, DEFAULT_ASSETS, embedded_assets, main_icon
from idolchat_characters.cards.charx import write_charx
from idolchat_characters.cards.container import CardFormat
from idolchat_characters.cards.document import CARD_FIELDS, v2_document, v3_document
from idolchat_characters.cards.limits import DEFAULT_LIMITS, CardLimits
from idolchat_characters.cards.media_types import EXTENSIONS, media_type_of
from idolchat_characters.cards.png import asset_paths, with_cards
from idolchat_characters.cards.png_chunks import SIGNATURE, plain_image
from idolchat_characters.cards.reading import CardReading, read_card
from idolchat_characters.character import CardAsset, Character, JsonObject
from idolchat_characters.errors import CardRefused

__all__ = ["is_edited", "write_card"]

FILE_TYPE = "x_idolchat_file"
"""The type of an asset that carries a file of an archive which no asset names."""

IMAGE_PATH = "assets/icon/images/main"


class _Parts(NamedTuple):
    character: Character
    files: Mapping[str, bytes]
    image: bytes | None


def write_card(
    character: Character,
    card_format: CardFormat,
    *,
    original: bytes | None = None,
    files: Mapping[str, bytes] | None = None,
    image: bytes | None = None,
    limits: CardLimits = DEFAULT_LIMITS,
) -> bytes:
    """Write a character as a card V3.

    ``original`` is the file that she was read from. Where she is as in it, and its format is the wanted one, it is
    returned byte for byte; else its image, files and other chunks go into what is written. ``files`` are added by
    their paths, in place of those of the same path; ``image`` takes the place of the card's own. A PNG has the card
    as V2 (``chara``) beside V3 (``ccv3``). JSON and PNG carry the files of an archive as data URLs.

    An image that is no PNG is kept among the files of a PNG, whose own is then a plain one.

    Raises ``CardRefused`` for ``webp``, which is only read, and for what would be too large to read again.
    """
    added = {safe_path(path): content for path, content in (files or {}).items()}
    parts, base = _Parts(character, added, image), None
    if original is not None:
        reading = read_card(original, limits=limits)
        is_as_read = not files and image is None and not is_edited(character, reading)
        if is_as_read and reading.format == card_format:
            return original
        parts = _Parts(character, {**reading.files, **added}, image or reading.image)
        base = original if reading.format == "png" and image is None else None
    content = _written(parts, card_format, base, limits)
    if len(content) > limits.file_bytes:
        message = f"would have {len(content):,} bytes, of which at most {limits.file_bytes:,} are read"
        raise CardRefused(f"{message}: leave assets out", place="file")
    return content


def _written(parts: _Parts, card_format: CardFormat, base: bytes | None, limits: CardLimits) -> bytes:
    match card_format:
        case "png":
            return _png(parts, base, limits)
        case "charx":
            return _charx(_with_image(parts), limits)
        case "json":
            return _json(_inlined(_with_image(parts)), limits)
        case "webp":
            raise CardRefused("is only read: write png, charx or json", place="format")


def is_edited(character: Character, reading: CardReading) -> bool:
    """Whether a character differs from the card as it was read, in any field that a card has."""
    return _canonical(character) != _canonical(reading.character)


def _canonical(character: Character) -> str:
    """The fields as JSON, in which 1, 1.0 and true are three values."""
    fields = character.model_dump(mode="json", include={*CARD_FIELDS, "unknown_fields"})
    return json.dumps(fields, sort_keys=True)


def _json(character: Character, limits: CardLimits) -> bytes:
    return _encoded(v3_document(character), limits, indent=2) + b"\n"


def _charx(parts: _Parts, limits: CardLimits) -> bytes:
    if CARD_PATH in parts.files:
        raise CardRefused("is the card itself: give the file another path", place=CARD_PATH)
    return write_charx(_encoded(v3_document(parts.character), limits), parts.files)


def _png(parts: _Parts, original: bytes | None, limits: CardLimits) -> bytes:
    """Write into the original, or the card's image, or the main icon, or a plain image."""
    if parts.image is not None and not parts.image.startswith(SIGNATURE):
        parts = _with_image(parts)._replace(image=None)
    base = original or parts.image or _main_png(parts) or plain_image()
    held = asset_paths(base, limits=limits)
    others = {path: content for path, content in parts.files.items() if path not in held}
    character = _inlined(parts._replace(files=others))
    cards = {"chara": v2_document(character), "ccv3": v3_document(character)}
    return with_cards(base, {word: _encoded(card, limits) for word, card in cards.items()}, limits=limits)


def _main_png(parts: _Parts) -> bytes | None:
    icon = main_icon(embedded_assets(parts.character, files=parts.files, image=None))
    return icon.content if icon and icon.media_type == "image/png" else None


def _with_image(parts: _Parts) -> _Parts:
    """Put the card's own image among the files, and let the assets that mean it name it there."""
    if parts.image is None:
        return parts
    path = f"{IMAGE_PATH}.{EXTENSIONS.get(media_type_of(parts.image) or '', 'bin')}"
    while path in parts.files:
        path = path.replace(IMAGE_PATH, f"{IMAGE_PATH}-card")
    uri = f"{EMBEDDED}{path}"
    assets = DEFAULT_ASSETS if parts.character.assets is None else parts.character.assets
    named = tuple(asset.model_copy(update={"uri": uri}) if _is_card_image(asset) else asset for asset in assets)
    if named == assets:
        named = (*assets, CardAsset(type="icon", uri=uri, name="card", ext=path.rpartition(".")[2]))
    return _Parts(parts.character.model_copy(update={"assets": named}), {**parts.files, path: parts.image}, parts.image)


def _is_card_image(asset: CardAsset) -> bool:
    return asset.uri.lower().startswith(CARD_IMAGE)


def _inlined(parts: _Parts) -> Character:
    """Write the files into the card, as data URLs of the assets that name them, or of assets of their own."""
    if not parts.files:
        return parts.character
    named: set[str] = set()
    assets: list[CardAsset] = []
    for asset in DEFAULT_ASSETS if parts.character.assets is None else parts.character.assets:
        path = _path_of(asset)
        if path in parts.files:
            named.add(path)
            asset = asset.model_copy(update={"uri": _data_url(parts.files[path])})
        assets.append(asset)
    for path in (path for path in parts.files if path not in named):
        uri = _data_url(parts.files[path])
        assets.append(CardAsset(type=FILE_TYPE, uri=uri, name=path, ext=path.rpartition(".")[2][:20]))
    return parts.character.model_copy(update={"assets": tuple(assets)})


def _path_of(asset: CardAsset) -> str:
    try:
        return embedded_path(asset.uri) or ""
    except CardRefused:
        return ""


def _data_url(content: bytes) -> str:
    return f"data:{media_type_of(content) or 'application/octet-stream'};base64,{base64.b64encode(content).decode()}"


def _encoded(document: JsonObject, limits: CardLimits, *, indent: int | None = None) -> bytes:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent).encode()
    if len(text) > limits.json_bytes:
        message = f"would hold {len(text):,} bytes of JSON, of which at most {limits.json_bytes:,} are read"
        raise CardRefused(f"{message}: write charx, which keeps files beside it", place="file")
    return text
