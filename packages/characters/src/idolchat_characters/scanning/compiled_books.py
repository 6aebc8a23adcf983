"""Books made ready to be scanned, once for each combination of versions, and kept."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID
from weakref import WeakKeyDictionary

from idolchat_characters.books import BookLibrary, BookSummary, books_of
from idolchat_characters.character import JsonObject
from idolchat_characters.library import CharacterRecord
from idolchat_characters.lore import Book, LoreBooks, compile_lore, read_book
from idolchat_characters.scanning.scanner import LoreScanner, lore_settings
from idolchat_characters.settings import CharactersSettings
from idolchat_core import IdolchatError, Storage

__all__ = ["CompiledBooks", "compiled_of"]

log = logging.getLogger(__name__)

MAX_COMPILED = 256

type Books = tuple[UUID | None, int, tuple[tuple[UUID, int], ...]]
"""Which books: the character whose own is among them and its version, and the id and version of each other."""


class CompiledBooks:
    """What conversations are scanned with. Books are read and compiled off the event loop, each combination once."""

    def __init__(self, books: BookLibrary) -> None:
        self._books = books
        self._compiled: OrderedDict[Books, asyncio.Task[LoreScanner]] = OrderedDict()

    async def get(self, record: CharacterRecord, books: Sequence[BookSummary]) -> LoreScanner:
        """Return the books of a character and these, compiled. Raises ``StorageUnavailable``."""
        return await asyncio.shield(self._task(record, books))

    def prepare(self, record: CharacterRecord, books: Sequence[BookSummary] = ()) -> None:
        """Begin to compile books that are going to be needed."""
        if books or record.character.character_book:
            self._task(record, books).add_done_callback(_report)

    async def close(self) -> None:
        """Wait for what is being compiled."""
        await asyncio.gather(*self._compiled.values(), return_exceptions=True)
        self._compiled.clear()

    def _task(self, record: CharacterRecord, books: Sequence[BookSummary]) -> asyncio.Task[LoreScanner]:
        own = record.character.character_book
        at: Books = (record.id if own else None, record.version if own else 0, tuple((b.id, b.version) for b in books))
        task = self._compiled.get(at)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._compiled[at] = asyncio.create_task(self._compile(record.id, own, books))
            if len(self._compiled) > MAX_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(at)
        return task

    async def _compile(self, character_id: UUID, own: JsonObject | None, books: Sequence[BookSummary]) -> LoreScanner:
        read = await self._books.read(books)
        scopes: dict[str, list[Book]] = {"user": [], "conversation": [], "server": []}
        for line in books:
            if line.id in read:
                scopes[line.scope].append(read[line.id])
        return await asyncio.to_thread(_compiled, character_id, own, scopes, self._books.settings)


def _compiled(
    character_id: UUID, own: JsonObject | None, scopes: dict[str, list[Book]], settings: CharactersSettings
) -> LoreScanner:
    books = LoreBooks(
        conversation=scopes["conversation"],
        persona=scopes["user"],
        character=[read_book(own, book_id=str(character_id))] if own else [],
        server=scopes["server"],
    )
    return LoreScanner(compile_lore(books, lore_settings(settings)), settings.lore_random_scope)


def _report(task: asyncio.Task[LoreScanner]) -> None:
    if not task.cancelled() and isinstance(error := task.exception(), IdolchatError):
        log.warning("lorebooks cannot be compiled ahead", extra={"reason": str(error)})


_known: WeakKeyDictionary[Storage, CompiledBooks] = WeakKeyDictionary()


def compiled_of(storage: Storage) -> CompiledBooks:
    """Return the compiled books of a storage, the same for all who ask. Raises ``ConfigurationError``."""
    if storage not in _known:
        _known[storage] = CompiledBooks(books_of(storage))
    return _known[storage]
