"""Notes: what is to be kept about a user as such, with where each came from."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Literal, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

__all__ = ["MAX_SOURCES", "MAX_TEXT", "Note", "NoteScope", "NoteSource", "Writer"]

MAX_TEXT = 1000
MAX_SOURCES = 20

type Writer = Literal["user", "app", "model"]


class NoteScope(NamedTuple):
    """Whose notes: of a user or none, for one character, or, with None, for whichever."""

    user_id: str | None
    character_id: str | None

    @property
    def record_name(self) -> str:
        """The name of the record that holds the notes of this scope."""
        return _record_name(self)


@lru_cache(4096)  # every turn asks for two
def _record_name(scope: NoteScope) -> str:
    user_id, character_id = scope
    return f"{user_key(user_id)}{_EVERYONE if character_id is None else _key(character_id)}"


class NoteSource(BaseModel):
    """A message that a note rests on; ``quote`` is the span of it that says so."""

    model_config = ConfigDict(frozen=True)

    conversation_id: UUID
    message_id: str = Field(min_length=1, max_length=200)
    quote: str | None = None


class Note(BaseModel):
    """One thing that is kept about a user."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    user_id: str | None = None
    character_id: str | None = Field(None, description="for whom it is; null: for every character")
    text: str
    pinned: bool = Field(False, description="whether it is in every prompt, as far as there is room")
    written_by: Writer = Field(description="`user` and `app` wrote it themselves; a `model` drew it from `sources`")
    sources: tuple[NoteSource, ...] = Field((), description="the messages that it rests on, and goes with")
    about: str | None = Field(None, description="what a model says that it is about: of two, the newer one holds")
    said_at: AwareDatetime = Field(description="when it was said, or written")
    created_at: AwareDatetime
    updated_at: AwareDatetime
    superseded_by: UUID | None = Field(None, description="the note that holds in its place")

    @property
    def scope(self) -> NoteScope:
        """Where it belongs."""
        return NoteScope(self.user_id, self.character_id)

    @property
    def is_current(self) -> bool:
        """Whether no other note holds in its place."""
        return self.superseded_by is None


_EVERYONE = "everyone"


def user_key(user_id: str | None) -> str:
    """Return what the names of a user's records begin with."""
    return f"{'nobody' if user_id is None else _key(user_id)}."


def _key(given: str) -> str:
    """Name an id, which need not be a UUID, in a record's name."""
    try:
        return str(UUID(given))
    except ValueError:
        return f"x-{blake2b(given.encode(), digest_size=16).hexdigest()}"
