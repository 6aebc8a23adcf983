"""All character directories as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from idolchat_core.characters.contract import CharacterDirectory, DirectoryEntry, DirectoryPage
from idolchat_core.errors import InvalidRequest
from idolchat_core.models import Conversation, StoredId

__all__ = ["JoinedDirectories"]


class JoinedDirectories(CharacterDirectory):
    """Asks directories in the order in which they are given, by name; the first that knows a character has her.

    There may be none, and then nobody is known.
    """

    def __init__(self, directories: Mapping[str, CharacterDirectory] | None = None) -> None:
        self._directories = dict(directories or {})

    async def find(self, reference: UUID | str, user_id: StoredId | None) -> DirectoryEntry | None:
        """Find a character as a directory does; text that is a UUID is taken as an id."""
        wanted = _id_or_slug(reference)
        for name, directory in self._directories.items():
            found = await directory.find(wanted, user_id)
            if found is not None:
                return found if found.directory == name else replace(found, directory=name)
        return None

    async def page(self, user_id: StoredId | None, *, limit: int, after: str | None = None) -> DirectoryPage:
        """List the characters of one directory, newest first, and then those of the next."""
        names = list(self._directories)
        first, _, rest = (after or "").partition(":")
        if after is not None and first not in names:
            raise InvalidRequest(f"after: {after!r} was given by no list of characters", param="after")
        found: list[DirectoryEntry] = []
        for name in names[names.index(first) if after is not None else 0 :]:
            if len(found) >= limit:
                return DirectoryPage(data=found, next=f"{name}:")
            page = await self._directories[name].page(user_id, limit=limit - len(found), after=rest or None)
            found += [replace(entry, directory=name) for entry in page.data]
            if page.next is not None:
                return DirectoryPage(data=found, next=f"{name}:{page.next}")
            rest = ""
        return DirectoryPage(data=found)

    async def openings(self, entry: DirectoryEntry, conversation: Conversation) -> Sequence[str]:
        """Ask the directory that the character is in."""
        return await self._directories[entry.directory].openings(entry, conversation)

    async def may_play(self, persona_id: UUID, user_id: StoredId | None) -> bool:
        """Return whether no directory is against it."""
        return all([await one.may_play(persona_id, user_id) for one in self._directories.values()])


def _id_or_slug(reference: UUID | str) -> UUID | str:
    try:
        return reference if isinstance(reference, UUID) else UUID(reference)
    except ValueError:
        return reference
