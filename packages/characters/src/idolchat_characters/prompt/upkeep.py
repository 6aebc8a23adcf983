"""What is done beside the turns: removing what nothing belongs to any more, and compiling books ahead."""

from __future__ import annotations

import asyncio
import logging

from idolchat_characters.books import BookLibrary
from idolchat_characters.library import CharacterLibrary
from idolchat_characters.scanning import BranchStates, CompiledBooks
from idolchat_core import Storage, StorageUnavailable

__all__ = ["Upkeep"]

log = logging.getLogger(__name__)

PAUSE_S = 3600.0
WARM_CHARACTERS = 64
LARGE_BOOK_ENTRIES = 200


class Upkeep:
    """Runs at the start and then every hour."""

    def __init__(
        self,
        storage: Storage,
        *,
        library: CharacterLibrary,
        books: BookLibrary,
        states: BranchStates,
        compiled: CompiledBooks,
    ) -> None:
        self._storage = storage
        self._library = library
        self._books = books
        self._states = states
        self._compiled = compiled

    async def run(self) -> None:
        """Do all of it, again and again, until it is cancelled."""
        is_first = True
        while True:
            try:
                if is_first:
                    await self._library.load()  # so that the first list waits for nothing
                    await self.compile_large_books()
                await self.remove_what_is_left()
                is_first = False
            except StorageUnavailable as error:
                log.warning("the storage of characters is looked after later", extra={"reason": str(error)})
            await asyncio.sleep(PAUSE_S)

    async def compile_large_books(self) -> None:
        """Compile the large books of the newest characters, one after the other, before a turn needs them."""
        for record in await self._library.newest(WARM_CHARACTERS):
            entries = (record.character.character_book or {}).get("entries")
            if isinstance(entries, dict | list) and len(entries) > LARGE_BOOK_ENTRIES:
                books = await self._books.active(None, None)
                await self._compiled.get(record, books)

    async def remove_what_is_left(self) -> int:
        """Remove cards without a character, and the books and states of conversations that are no more.

        Returns of how many characters and conversations.
        """
        removed = await self._library.remove_orphans()
        named = await self._books.conversations() | await self._states.conversations()  # before those that there are
        gone = named - set(await self._storage.list_ids()) if named else named
        if gone:
            await self._books.remove_of(gone)
            await self._states.remove_of(gone)
        if count := removed + len(gone):
            log.info("what belonged to deleted characters and conversations was removed", extra={"count": count})
        return count
