"""Whether there is room for a character among the others: for its slug, and for its bytes."""

from __future__ import annotations

from uuid import UUID

from idolchat_characters.character import Character
from idolchat_characters.errors import SlugTaken, TooManyCharacters
from idolchat_characters.library.access import Viewer
from idolchat_characters.library.index import CharacterIndex
from idolchat_characters.library.records import CharacterRecord
from idolchat_characters.settings import CharactersSettings
from idolchat_characters.slugs import MAX_SLUG_LENGTH, slug_of

__all__ = ["check_room", "check_slug", "with_slug"]


def with_slug(character: Character, index: CharacterIndex) -> Character:
    """Return a new character with a slug: its own, else one made of its name. Raises ``SlugTaken``."""
    if character.slug is not None:
        check_slug(character, index)
        return character
    slug, number = slug_of(character.name), 1
    while index.holder(character, slug) is not None:
        number += 1
        end = f"-{number}"
        slug = slug_of(character.name)[: MAX_SLUG_LENGTH - len(end)].strip("-") + end
    return character.model_copy(update={"slug": slug})


def check_slug(character: Character, index: CharacterIndex, *, own_id: UUID | None = None) -> None:
    """Raise ``SlugTaken`` where another character has the slug of this one."""
    if character.slug is None or index.holder(character, character.slug) in (None, own_id):
        return
    whose = "public characters" if character.visibility == "public" else "characters of this owner"
    raise SlugTaken(f"slug: {character.slug!r} is taken among the {whose}; choose another")


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
