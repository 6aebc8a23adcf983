"""A persona, and all of a user's in one record."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

__all__ = ["MAX_DESCRIPTION_CHARS", "MAX_NAME_CHARS", "Persona", "UserPersonas", "owner_name"]

MAX_NAME_CHARS = 100
MAX_DESCRIPTION_CHARS = 16_000


def _on_one_line(name: str) -> str:
    plain = " ".join(name.split())
    if not plain or not plain.isprintable():
        raise ValueError("must be a name on one line, of characters that can be printed")
    return plain


class Persona(BaseModel):
    """Whom the user plays: the name that ``{{user}}`` stands for, and a description for the prompt, a template."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: Annotated[str, StringConstraints(max_length=MAX_NAME_CHARS), AfterValidator(_on_one_line)]
    description: Annotated[str, StringConstraints(max_length=MAX_DESCRIPTION_CHARS)] = ""
    created_at: AwareDatetime
    updated_at: AwareDatetime


class UserPersonas(BaseModel):
    """The personas of a user, oldest first.

    ``default_id`` is the one of conversations that name none; null, where those are with ``User``. ``user_id`` is null
    for those of conversations without a user.
    """

    model_config = ConfigDict(frozen=True)

    user_id: UUID | None = None
    default_id: UUID | None = None
    personas: tuple[Persona, ...] = ()

    def find(self, persona_id: object) -> Persona | None:
        """Return a persona by its id."""
        return next((persona for persona in self.personas if persona.id == persona_id), None)


def owner_name(user_id: UUID | None) -> str:
    """Return the name of the record that holds what is a user's, or nobody's."""
    return str(user_id) if user_id is not None else "nobody"
