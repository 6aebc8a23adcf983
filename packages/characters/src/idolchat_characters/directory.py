"""The characters of the chosen storage, as everybody else knows them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from math import isfinite
from uuid import UUID

from idolchat_characters.books import books_of
from idolchat_characters.character import Character
from idolchat_characters.kept_records import REFRESH_S
from idolchat_characters.library import CharacterLibrary, CharacterRecord, Viewer, library_of
from idolchat_characters.macros import expand
from idolchat_characters.personas import personas_of
from idolchat_characters.prompt.macro_contexts import in_greeting
from idolchat_characters.scanning import compiled_of
from idolchat_core import (
    CharacterDirectory,
    Conversation,
    DirectoryEntry,
    DirectoryPage,
    InvalidRequest,
    Services,
    Storage,
    StoredId,
)

__all__ = ["StoredCharacters", "open_directory"]

NAME = "characters"
"""As the directory is registered."""

MAX_DESCRIPTION_CHARS = 300
MAX_ENTRIES = 1_024
_TALKATIVENESS = 0.5
"""Where a card says nothing, as in SillyTavern."""


class StoredCharacters(CharacterDirectory):
    """Gives each user the public and hidden characters, and their own; None all of them."""

    def __init__(self, storage: Storage) -> None:
        self._library: CharacterLibrary = library_of(storage)
        self._personas = personas_of(storage)
        self._books = books_of(storage)
        self._compiled = compiled_of(storage)
        self._entries: OrderedDict[tuple[UUID, int], DirectoryEntry] = OrderedDict()

    async def find(self, reference: UUID | str, user_id: StoredId | None) -> DirectoryEntry | None:
        """Find a character by id or slug, as she is now."""
        viewer = Viewer.of(user_id)
        if isinstance(reference, UUID):
            record = await self._library.get(reference, viewer, max_age_s=REFRESH_S)
        else:
            record = await self._library.find(reference, viewer, max_age_s=REFRESH_S)
        return self._entry(record) if record is not None else None

    async def page(self, user_id: StoredId | None, *, limit: int, after: str | None = None) -> DirectoryPage:
        """List the characters that are not hidden, or are the user's, newest first."""
        viewer = Viewer.of(user_id)
        page = await self._library.list(viewer, limit=limit, before=_id_in(after))
        records = [await self._library.get(summary.id, viewer) for summary in page.data]
        entries = [self._entry(record) for record in records if record is not None]
        return DirectoryPage(data=entries, next=str(page.next) if page.next else None)

    async def openings(self, entry: DirectoryEntry, conversation: Conversation) -> Sequence[str]:
        """Return the first message and its alternates, their macros resolved."""
        record = await self._library.get(entry.id, Viewer.of(conversation.user_id))
        if record is None:  # deleted since
            return ()
        persona = await self._personas.played(conversation.user_id, conversation.persona_id, max_age_s=0.0)
        context = in_greeting(record.character, persona, conversation)
        self._compiled.prepare(record, await self._books.active(conversation.user_id, conversation.id))
        said = [expand(greeting, context).strip() for greeting in _greetings(record.character, conversation)]
        return [text for text in said if text]

    async def may_play(self, persona_id: UUID, user_id: StoredId | None) -> bool:
        """Return whether the persona is one of the user's."""
        return await self._personas.has(user_id, persona_id)

    def _entry(self, record: CharacterRecord) -> DirectoryEntry:
        """Return what others know of a character, made once for each version: every turn asks for it."""
        at = (record.id, record.version)
        if at not in self._entries:
            self._entries[at] = _entry(record)
            if len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
        return self._entries[at]


@asynccontextmanager
async def open_directory(services: Services) -> AsyncGenerator[CharacterDirectory]:
    """Open the directory over the characters of the chosen storage."""
    yield StoredCharacters(services.storage)


def _id_in(after: str | None) -> UUID | None:
    try:
        return UUID(after) if after is not None else None
    except ValueError:
        raise InvalidRequest(f"after: {after!r} was given by no list of characters", param="after") from None


def _entry(record: CharacterRecord) -> DirectoryEntry:
    character = record.character
    return DirectoryEntry(
        id=record.id,
        name=character.spoken_name,
        slug=character.slug,
        description=" ".join(character.creator_notes.split())[:MAX_DESCRIPTION_CHARS],
        avatar=f"/characters/{record.id}/files/{record.icon}" if record.icon else None,
        model=character.model,
        options=character.sampling.model_dump(mode="json", exclude_none=True),
        talkativeness=_talkativeness(character),
        directory=NAME,
        by_operator=character.visibility == "public" and character.owner_id is None,
        created_at=record.created_at,
    )


def _greetings(character: Character, conversation: Conversation) -> Sequence[str]:
    """Return what she says first: in a group what is for groups alone, where there is such."""
    for_groups = [greeting for greeting in character.group_only_greetings if greeting]
    return for_groups if for_groups and conversation.character_ids else character.greetings


def _talkativeness(character: Character) -> float:
    """Read what SillyTavern keeps in a card's extensions: a number, or one as text."""
    try:
        value = float(str(character.extensions.get("talkativeness", _TALKATIVENESS)))
    except ValueError:
        return _TALKATIVENESS
    return min(1.0, max(0.0, value)) if isfinite(value) else _TALKATIVENESS
