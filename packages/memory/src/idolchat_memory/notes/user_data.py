"""The notes of a user, to be erased with the rest of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from idolchat_core import Storage, UserData, UserFile
from idolchat_memory.notes.store import NoteStore, notes_of

__all__ = ["NoteData", "open_note_data"]


class NoteData(UserData):
    """Notes are records, which core exports and erases by itself; a server that runs is to forget them as well."""

    def __init__(self, store: NoteStore) -> None:
        self._store = store

    async def export(self, user_id: str) -> AsyncGenerator[UserFile]:
        nothing: tuple[UserFile, ...] = ()
        for file in nothing:
            yield file

    async def erase(self, user_id: str) -> int:
        return await self._store.erase(user_id)


@asynccontextmanager
async def open_note_data(storage: Storage) -> AsyncGenerator[UserData]:
    """Open the notes for one erasure."""
    yield NoteData(notes_of(storage))
