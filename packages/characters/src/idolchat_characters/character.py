"""A character: whom the model plays."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, StringConstraints

from idolchat_characters.sampling import Sampling
from idolchat_characters.slugs import check_slug

__all__ = ["CardAsset", "Character", "JsonObject", "UnknownFields", "Visibility"]

type JsonObject = dict[str, JsonValue]
"""An object as JSON has it; shared, and not to be changed."""

type Visibility = Literal["public", "private", "hidden"]
"""Whether everybody, her owner alone, or whoever knows her id uses a character."""


def _named(name: str) -> str:
    if not name.strip():
        raise ValueError("must not be empty: write the character's name")
    return name


class CardAsset(BaseModel):
    """A file that belongs to a character, by where it is.

    ``type`` is ``icon``, ``background``, ``user_icon``, ``emotion`` or the application's own (``x_...``). ``uri`` is
    ``embeded://path``, ``data:...``, ``ccdefault:`` (the card's own image) or an address, which is never fetched.
    ``ext`` is the extension without the dot.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str = ""
    uri: str
    name: str = ""
    ext: str = ""


class UnknownFields(BaseModel):
    """Fields of a card that no version of the specification names; they leave with the card as they came.

    ``data`` are those of the card's ``data``, ``root`` those beside it. ``root_copies`` names fields of ``data`` that
    stood beside it too, with the same value, as SillyTavern writes them: an export repeats the new value there.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    data: JsonObject = {}
    root: JsonObject = {}
    root_copies: tuple[str, ...] = ()


class Character(BaseModel):
    """A character, in the fields of a card V3 and by their names, and how this service uses her.

    A card sets none of the fields from ``slug`` on: who owns a character, who sees her and what she costs is not for
    the author of a file to say. ``character_book`` is the lorebook as the card has it. ``creation_date`` and
    ``modification_date`` are seconds since 1970 in UTC; 0 says that the author withholds it. ``assets`` is null where
    the card has no such field, which means its own image as the main icon.

    Source of the fields: Character Card V3 (github.com/kwaroran/character-card-spec-v3).
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Annotated[str, AfterValidator(_named)]
    nickname: str | None = None
    description: str = ""
    personality: str = ""
    scenario: str = ""
    system_prompt: str = ""
    post_history_instructions: str = ""
    first_mes: str = ""
    alternate_greetings: tuple[str, ...] = ()
    group_only_greetings: tuple[str, ...] = ()
    mes_example: str = ""
    creator: str = ""
    creator_notes: str = ""
    creator_notes_multilingual: dict[str, str] | None = None
    character_version: str = ""
    tags: tuple[str, ...] = ()
    character_book: JsonObject | None = None
    assets: tuple[CardAsset, ...] | None = None
    extensions: JsonObject = {}
    source: tuple[str, ...] | None = None
    creation_date: int | None = None
    modification_date: int | None = None
    unknown_fields: UnknownFields = UnknownFields()

    slug: Annotated[str, AfterValidator(check_slug)] | None = None
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    sampling: Sampling = Sampling()
    owner_id: UUID | None = None
    visibility: Visibility = "private"

    @property
    def spoken_name(self) -> str:
        """The name that ``{{char}}`` stands for: the nickname, where there is one."""
        return self.nickname or self.name

    @property
    def greetings(self) -> tuple[str, ...]:
        """The first message and its alternatives, without those that are empty."""
        return tuple(greeting for greeting in (self.first_mes, *self.alternate_greetings) if greeting)
