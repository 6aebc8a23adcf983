"""What a user has of characters, beside the records that say whose they are: cards, files, and what they published."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from idolchat_characters.library import CharacterLibrary, library_of
from idolchat_core import Storage, UserData, UserFile

__all__ = ["CharacterUserData", "open_user_data"]


class CharacterUserData(UserData):
    """The characters of a user.

    Those that are not public are records about the user, and are erased as such; here their cards and files are. Those
    that are public stay, and are nobody's from then on. Personas and lorebooks are records about the user, too.
    """

    def __init__(self, library: CharacterLibrary) -> None:
        self._library = library

    async def export(self, user_id: str) -> AsyncGenerator[UserFile]:
        """Yield a user's characters, each as a card."""
        owner_id = _id_in(user_id)
        for record in await self._library.owned_by(owner_id) if owner_id else ():
            content, card_format = await self._library.export(record)
            yield UserFile(f"{record.id}.{card_format}", content)

    async def erase(self, user_id: str) -> int:
        """Remove the cards and files of a user's characters, and their name from those that are public."""
        owner_id = _id_in(user_id)
        return await self._library.forget_owner(owner_id) if owner_id else 0


@asynccontextmanager
async def open_user_data(storage: Storage) -> AsyncGenerator[UserData]:
    """Open what users have of characters."""
    yield CharacterUserData(library_of(storage))


def _id_in(user_id: str) -> UUID | None:
    try:
        return UUID(user_id)
    except ValueError:
        return None
