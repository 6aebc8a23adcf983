"""Whether there is room for a character among the others: for its slug, and for its bytes."""

from __future__ import annotations

from collections.abc import Iterator

from idolchat_characters.character import Character
from idolchat_characters.errors import SlugTaken, TooManyCharacters
from idolchat_characters.library.access import Viewer
from idolchat_characters.library.index import CharacterIndex
from idolchat_characters.library.records import CharacterRecord
from idolchat_characters.settings import CharactersSettings
from idolchat_characters.slugs import MAX_SLUG_LENGTH, slug_of

__all__ = ["check_room", "slug_taken", "slugs_for"]


def slugs_for(character: Character, index: CharacterIndex) -> Iterator[Character]:
    """Yield a new character with each slug that is free, as far as is known: its own, else those made of its name."""
    if character.slug is not None:
        if index.holder(character, character.slug) is None:
            yield character
        return
    slug, number = slug_of(character.name), 1
    while True:
        if index.holder(character, slug) is None:
            yield character.model_copy(update={"slug": slug})
        number += 1
        end = f"-{number}"
        slug = slug_of(character.name)[: MAX_SLUG_LENGTH - len(end)].strip("-") + end


def slug_taken(character: Character) -> SlugTaken:
    """Return the error of a character whose slug another has."""
    whose = "public characters" if character.visibility == "public" else "characters of this owner"
    return SlugTaken(f"slug: {character.slug!r} is taken among the {whose}; choose another")


def check_room(
    record: CharacterRecord,
    viewer: Viewer,
    index: CharacterIndex,
    settings: CharactersSettings,
    *,
    instead_of: CharacterRecord | None = None,
) -> None:
    """Raise ``TooManyCharacters`` where a user would have more characters, or more bytes of them, than one may."""
    owner_id = record.character.owner_id
    if owner_id is None or viewer.is_operator:
        return
    count, size_bytes = index.taken_by(owner_id)
    if instead_of is None and count >= settings.max_per_user:
        most = settings.max_per_user
        raise TooManyCharacters(f"a user may have {most} characters (IDOLCHAT_CHARACTERS_MAX_PER_USER); delete one")
    added = record.size_bytes - (instead_of.size_bytes if instead_of else 0)
    if added > 0 and size_bytes + added > settings.max_user_bytes:
        raise TooManyCharacters(
            f"a user's characters may take {settings.max_user_bytes:,} bytes, cards and files included"
            " (IDOLCHAT_CHARACTERS_MAX_USER_BYTES); delete one"
        )
