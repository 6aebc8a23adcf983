"""The errors of this package; they are those of a request that cannot be met as it stands."""

from __future__ import annotations

from uuid import UUID

from idolchat_core import InvalidRequest, StorageConflict, StorageError

__all__ = [
    "BookVersionConflict",
    "CardRefused",
    "CardTooLong",
    "CharacterDamaged",
    "SlugTaken",
    "TooManyBooks",
    "TooManyCharacters",
    "TooManyPersonas",
    "VersionConflict",
]


class CardRefused(InvalidRequest):
    """A card cannot be read or written; the text says what is wrong and how to mend it.

    ``param`` is the place: a field (``data.name``), a PNG chunk (``chunk ccv3``), an entry of an archive
    (``card.json``), or ``file``.
    """

    code = "card_refused"

    def __init__(self, message: str, *, place: str) -> None:
        super().__init__(f"{place}: {message}", param=place)


class TooManyCharacters(InvalidRequest):
    """A user has as many characters as one may have, or they take as much room."""

    code = "too_many_characters"


class CharacterDamaged(StorageError):
    """The stored record of a character cannot be read; all others can."""

    code = "character_damaged"

    def __init__(self, character_id: UUID, problem: str) -> None:
        self.character_id = character_id
        super().__init__(
            f"the record characters/{character_id} cannot be read ({problem}): put it back from a backup, or remove it"
            f" with `idol characters delete {character_id}` and import the card again"
        )


class VersionConflict(StorageConflict):
    """A character has changed since it was read; read it again and repeat the change."""

    code = "version_conflict"

    def __init__(self, character_id: UUID, *, wanted: int, found: int | None) -> None:
        now = f"is at version {found}" if found else "is deleted"
        super().__init__(f"character {character_id} {now}, not {wanted}: read it again and repeat the change")


class BookVersionConflict(StorageConflict):
    """A lorebook has changed since it was read; read it again and repeat the change."""

    code = "version_conflict"

    def __init__(self, lorebook_id: UUID, *, wanted: int, found: int | None) -> None:
        now = f"is at version {found}" if found else "is deleted"
        super().__init__(f"lorebook {lorebook_id} {now}, not {wanted}: read it again and repeat the change")


class SlugTaken(StorageConflict):
    """Another character has this slug: among the public ones, or among those of the same owner."""

    code = "slug_taken"


class TooManyPersonas(InvalidRequest):
    """A user has as many personas as one may have."""

    code = "too_many_personas"


class TooManyBooks(InvalidRequest):
    """There are as many lorebooks as there may be."""

    code = "too_many_lorebooks"


class CardTooLong(InvalidRequest):
    """A card takes more of the context window than there is beside a message and its reply."""

    code = "card_too_long"

    def __init__(self, field: str, *, tokens: int, room: int, model: str | None) -> None:
        super().__init__(
            f"{field}: the card takes about {tokens:,} tokens of every prompt, and {model or 'the model'} has room for"
            f" {room:,} beside a message and its reply: {tokens - room:,} too many. Shorten it, give the character a"
            " `model` that reads more, or set IDOLCHAT_CONTEXT_LENGTH where the provider does not tell what it reads",
            param=field,
        )
