"""A character directory that forgets, for tests of what uses one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import JsonValue

from idolchat_core.characters.contract import CharacterDirectory, DirectoryEntry, DirectoryPage
from idolchat_core.errors import InvalidRequest
from idolchat_core.models import Conversation, StoredId, new_id, utc_now

__all__ = ["InMemoryDirectory"]


class InMemoryDirectory(CharacterDirectory):
    """Keeps characters while it lives; ``asked`` counts the calls of ``find``."""

    def __init__(self) -> None:
        self.asked = 0
        self._entries: dict[UUID, DirectoryEntry] = {}
        self._says: dict[UUID, Sequence[str]] = {}
        self._private: dict[UUID, UUID | None] = {}

    def add(
        self,
        slug: str,
        *says: str,
        model: str | None = None,
        options: Mapping[str, JsonValue] | None = None,
        owner_id: UUID | None = None,
        is_private: bool = False,
        talkativeness: float = 0.5,
    ) -> DirectoryEntry:
        """Add a character who says this first; one that is private is her owner's alone."""
        entry = DirectoryEntry(
            id=new_id(),
            slug=slug,
            name=slug.title(),
            model=model,
            options=options or {},
            by_operator=owner_id is None,
            talkativeness=talkativeness,
            created_at=utc_now(),
        )
        self._entries[entry.id], self._says[entry.id] = entry, says
        if is_private:
            self._private[entry.id] = owner_id
        return entry

    async def find(self, reference: UUID | str, user_id: StoredId | None) -> DirectoryEntry | None:
        """Find a character by id or slug."""
        self.asked += 1
        return next((entry for entry in self._of(user_id) if reference in (entry.id, entry.slug)), None)

    async def page(self, user_id: StoredId | None, *, limit: int, after: str | None = None) -> DirectoryPage:
        """List the characters, newest first."""
        listed = self._of(user_id)[::-1]
        ids = [str(entry.id) for entry in listed]
        if after is not None and after not in ids:
            raise InvalidRequest(f"after: no page ended with {after!r}", param="after")
        start = ids.index(after) + 1 if after is not None else 0
        shown = listed[start : start + limit]
        return DirectoryPage(data=shown, next=str(shown[-1].id) if start + limit < len(listed) else None)

    async def openings(self, entry: DirectoryEntry, conversation: Conversation) -> Sequence[str]:
        """Return what the character was added with."""
        return self._says[entry.id]

    def _of(self, user_id: StoredId | None) -> list[DirectoryEntry]:
        return [
            entry
            for entry in self._entries.values()
            if user_id is None or self._private.get(entry.id, user_id) == user_id
        ]
