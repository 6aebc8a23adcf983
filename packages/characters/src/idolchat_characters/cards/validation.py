"""What is wrong with a card, in the words of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from idolchat_characters.cards.assets import CARD_IMAGE, DEFAULT_ASSETS, asset_content
from idolchat_characters.cards.media_types import EXTENSIONS, media_type_of
from idolchat_characters.character import CardAsset, Character, JsonObject
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Problem

__all__ = ["content_problems"]

ASSET_TYPES = ("icon", "background", "user_icon", "emotion")
ALIASES = {"jpeg": "jpg", "apng": "png", "jfif": "jpg"}
MAX_ENTRIES_NAMED = 50


def content_problems(character: Character, *, files: Mapping[str, bytes], image: bytes | None) -> Iterator[Problem]:
    """What will not work as the author of a card meant it, field by field; all of them are warnings."""
    yield from _text_problems(character)
    yield from _book_problems(character.character_book)
    yield from _extension_problems(character.extensions)
    yield from _asset_list_problems(character.assets or ())
    for index, asset in enumerate(DEFAULT_ASSETS if character.assets is None else character.assets):
        yield from _asset_problems(asset, f"data.assets.{index}", files, image, is_default=character.assets is None)


def _text_problems(character: Character) -> Iterator[Problem]:
    if not character.greetings:
        yield _warning("data.first_mes", "is empty: a conversation will begin without a greeting")
    if not (character.description or character.personality or character.system_prompt):
        yield _warning("data.description", "is empty, as is personality: the model will know nothing but the name")
    for language in character.creator_notes_multilingual or {}:
        if not (len(language) == 2 and language.isalpha()):
            yield _warning(f"data.creator_notes_multilingual.{language[:40]}", "is no language as ISO 639-1 has it: en")
    created, modified = character.creation_date, character.modification_date
    if created and modified and modified < created:
        yield _warning("data.modification_date", "is before creation_date")


def _book_problems(book: JsonObject | None) -> Iterator[Problem]:
    if book is None:
        return
    entries = book.get("entries")
    if isinstance(entries, dict):
        yield _warning("data.character_book.entries", "is an object instead of a list; its values are taken")
        entries = list(entries.values())
    if not isinstance(entries, list):
        yield _warning("data.character_book.entries", "must be a list: the book has no entries")
        return
    for index, entry in enumerate(entries[:MAX_ENTRIES_NAMED]):
        yield from _entry_problems(entry, f"data.character_book.entries.{index}")


def _entry_problems(entry: JsonValue, place: str) -> Iterator[Problem]:
    if not isinstance(entry, dict):
        yield _warning(place, "must be an object with keys and content")
        return
    if not isinstance(entry.get("content"), str):
        yield _warning(f"{place}.content", "must be text: the entry adds nothing")
    for name in ("keys", "secondary_keys"):
        keys = entry.get(name)
        if isinstance(keys, str):
            yield _warning(f"{place}.{name}", "is a text instead of a list; it is split at its commas")
        elif keys is not None and not (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
            yield _warning(f"{place}.{name}", "must be a list of texts")
    if not entry.get("keys") and not entry.get("constant"):
        yield _warning(f"{place}.keys", "is empty, and the entry is not constant: only a decorator lets it fire")


def _extension_problems(extensions: JsonObject) -> Iterator[Problem]:
    prompt = extensions.get("depth_prompt")
    if isinstance(prompt, dict) and prompt.get("prompt") and not isinstance(prompt.get("depth"), int):
        yield _warning("data.extensions.depth_prompt.depth", "is no whole number; 4 is taken")


def _asset_list_problems(assets: tuple[CardAsset, ...]) -> Iterator[Problem]:
    icons = [asset.name for asset in assets if asset.type == "icon"]
    if len(icons) > 1 and icons.count("main") != 1:
        yield _warning("data.assets", "has several icons, of which exactly one must have the name main")


def _asset_problems(
    asset: CardAsset, place: str, files: Mapping[str, bytes], image: bytes | None, *, is_default: bool
) -> Iterator[Problem]:
    if asset.type not in ASSET_TYPES and not asset.type.startswith("x_"):
        yield _warning(f"{place}.type", f"is {asset.type[:40]!r}: an application's own type begins with x_")
    try:
        content = asset_content(asset, files=files, image=image)
    except CardRefused as refusal:
        yield _warning(f"{place}.uri", str(refusal))
        return
    if content is None:
        if not asset.uri.startswith(CARD_IMAGE):
            yield _warning(f"{place}.uri", _absence(asset))
        return
    actual = EXTENSIONS.get(media_type_of(content) or "")
    written = ALIASES.get(asset.ext.lower(), asset.ext.lower())
    if actual and written != actual and not is_default:
        yield _warning(f"{place}.ext", f"is {asset.ext[:40]!r}, and the file is {actual}")


def _absence(asset: CardAsset) -> str:
    if asset.uri.lower().startswith(("http:", "https:", "//")):
        return "is an address, and addresses are never fetched: embed the file"
    return f"names no file that the card holds: {asset.uri[:100]!r}"


def _warning(place: str, message: str) -> Problem:
    return Problem(severity="warning", place=place, message=message)
