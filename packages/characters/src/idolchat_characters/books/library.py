"""The lorebooks that are kept in the chosen storage."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from idolchat_characters.books.files import checked, encoded, name_in, read_file
from idolchat_characters.books.records import SERVER, BookList, BookScope, BookSummary, Lorebook
from idolchat_characters.character import JsonObject
from idolchat_characters.errors import BookVersionConflict, TooManyBooks
from idolchat_characters.kept_records import KeptRecords
from idolchat_characters.lore import Book, Problem, read_book
from idolchat_characters.personas.persona import owner_name
from idolchat_characters.settings import CharactersSettings
from idolchat_core import (
    NO_RECORD,
    InvalidRequest,
    Storage,
    StorageConflict,
    StoredId,
    new_id,
    read_settings,
    utc_now,
)

__all__ = ["BookLibrary", "books_of"]

EDITABLE = frozenset({"name", "is_enabled", "book"})
MAX_READ = 64


class BookLibrary:
    """The lorebooks in a storage. All methods raise ``StorageUnavailable``."""

    def __init__(self, storage: Storage, settings: CharactersSettings) -> None:
        self._storage = storage
        self._lists = KeptRecords(storage, "lorebook-lists", BookList)
        self.settings = settings
        self._writing = asyncio.Lock()
        self._read: OrderedDict[tuple[UUID, int], Book] = OrderedDict()

    async def list(self, name: str) -> Sequence[BookSummary]:
        """List the books of ``server``, or of ``owner_name(user_id)``, oldest first."""
        held = await self._lists.get(name)
        return held.books if held else ()

    async def get(self, lorebook_id: UUID) -> Lorebook | None:
        """Read a book."""
        value = await self._storage.get_record("lorebooks", str(lorebook_id))
        return None if value is None else Lorebook.model_validate_json(value)

    async def add(
        self,
        content: bytes,
        *,
        scope: BookScope,
        name: str | None = None,
        user_id: UUID | None = None,
        conversation_id: UUID | None = None,
    ) -> tuple[Lorebook, tuple[Problem, ...]]:
        """Store a new book: a world file, a ``character_book``, a ``lorebook_v3``, or a card that holds one.

        Also returns what in it does not work as its author may expect. Raises ``CardRefused``, ``InvalidRequest``,
        ``TooManyBooks``.
        """
        raw, problems = await asyncio.to_thread(read_file, content, max_bytes=self.settings.max_book_bytes)
        now = utc_now()
        book = checked(
            {
                "id": new_id(),
                "version": 1,
                "name": name or name_in(raw),
                "scope": scope,
                "user_id": user_id,
                "conversation_id": conversation_id,
                "created_at": now,
                "updated_at": now,
            },
            raw,
        )
        async with self._writing:
            await self._put(book, if_version=NO_RECORD)
        return book, problems

    async def update(
        self, book: Lorebook, fields: Mapping[str, Any], *, version: int | None = None
    ) -> tuple[Lorebook, tuple[Problem, ...]]:
        """Change the name of a book, whether it is scanned, or its JSON; ``version`` is the one that is meant.

        Raises ``InvalidRequest``, ``CardRefused`` and ``BookVersionConflict``.
        """
        for name in fields:
            if name not in EDITABLE:
                raise InvalidRequest(
                    f"{name}: is no field of a lorebook that can be set: name, is_enabled, book", param=name
                )
        raw: JsonObject = book.book
        problems: tuple[Problem, ...] = ()
        if "book" in fields:
            raw, problems = await asyncio.to_thread(
                read_file, encoded(fields["book"]), max_bytes=self.settings.max_book_bytes
            )
        async with self._writing:
            while True:
                current, stored_version = await self._stored(book, version)
                known = current.model_dump(exclude={"book", "entry_count", "size_bytes"})
                known |= {name: value for name, value in fields.items() if name != "book"}
                known |= {"version": current.version + 1, "updated_at": utc_now()}
                changed = checked(known, raw if "book" in fields else current.book)
                with suppress(StorageConflict):  # another process was quicker: once more, on what it has written
                    await self._put(changed, if_version=stored_version)
                    return changed, problems

    async def _stored(self, book: Lorebook, version: int | None) -> tuple[Lorebook, str]:
        """Read what is to be changed. Raises ``BookVersionConflict`` unless it has the version that is meant."""
        found = await self._storage.read_record("lorebooks", str(book.id))
        current = found and Lorebook.model_validate_json(found.value)
        if not (found and current) or (version is not None and version != current.version):
            raise BookVersionConflict(
                book.id, wanted=version or book.version, found=current.version if current else None
            )
        return current, found.version

    async def delete(self, book: Lorebook) -> None:
        """Remove a book."""
        async with self._writing:  # its line first: while the book is there, it can be deleted again
            await self._lists.change(_list_of(book), lambda held: _without(held, book))
            await self._storage.delete_record("lorebooks", str(book.id))

    async def conversations(self) -> set[UUID]:
        """List the conversations that have books of their own."""
        lists = [await self.list(name) for name in await self._lists.names()]
        return {line.conversation_id for lines in lists for line in lines if line.conversation_id is not None}

    async def remove_of(self, conversation_ids: Collection[UUID]) -> None:
        """Remove the books of conversations."""
        for name in await self._lists.names():
            for line in await self.list(name):
                if line.conversation_id in conversation_ids:
                    await self._remove_listed(line)

    async def _remove_listed(self, line: BookSummary) -> None:
        """Remove a book that is found again by its line: that goes last."""
        async with self._writing:
            await self._storage.delete_record("lorebooks", str(line.id))
            await self._lists.change(_list_of(line), lambda held: _without(held, line))

    async def copy_of(self, source_id: UUID, *, user_id: UUID | None, conversation_id: UUID) -> None:
        """Store books of a conversation once more, for another one of its user. Raises ``TooManyBooks``."""
        held = await self.list(owner_name(user_id))
        lines = [line for line in held if line.conversation_id == source_id]
        if lines and len(held) + len(lines) > self.settings.max_books:
            raise self._too_many("a user")
        for line in lines:
            if (book := await self.get(line.id)) is not None:
                fields = {"id": new_id(), "version": 1, "conversation_id": conversation_id, "created_at": utc_now()}
                async with self._writing:
                    await self._put(book.model_copy(update=fields), if_version=NO_RECORD)

    async def active(self, user_id: StoredId | None, conversation_id: UUID | None) -> Sequence[BookSummary]:
        """List the books that are scanned in a conversation of a user, in the order in which they were made."""
        lists = [SERVER, *((owner_name(user_id),) if user_id is None or isinstance(user_id, UUID) else ())]
        lines = [line for name in lists for line in await self.list(name)]
        return [line for line in lines if line.is_enabled and line.conversation_id in (None, conversation_id)]

    async def read(self, summaries: Sequence[BookSummary]) -> Mapping[UUID, Book]:
        """Read books for the lore engine, each version once; what was deleted meanwhile is left out."""
        return {one.id: book for one in summaries if (book := await self._engine_book(one)) is not None}

    async def _engine_book(self, summary: BookSummary) -> Book | None:
        at = (summary.id, summary.version)
        if at not in self._read:
            kept = await self.get(summary.id)
            if kept is None:
                return None
            self._read[at] = await asyncio.to_thread(read_book, kept.book, book_id=str(summary.id))
            if len(self._read) > MAX_READ:
                self._read.popitem(last=False)
        self._read.move_to_end(at)
        return self._read[at]

    async def _put(self, book: Lorebook, *, if_version: str) -> None:
        """Write a book's content, and then its line. Raises ``TooManyBooks``, ``StorageConflict``."""
        held = await self._lists.get(_list_of(book))
        if if_version == NO_RECORD and held is not None and len(held.books) >= self.settings.max_books:
            raise self._too_many("the server" if book.scope == "server" else "a user")
        value = book.model_dump_json().encode()
        await self._storage.put_record("lorebooks", str(book.id), value, if_version=if_version)
        await self._lists.change(_list_of(book), lambda held: _with(held, book))

    def _too_many(self, whose: str) -> TooManyBooks:
        return TooManyBooks(
            f"{whose} may have {self.settings.max_books} lorebooks (IDOLCHAT_CHARACTERS_MAX_BOOKS); delete one"
        )


_libraries: WeakKeyDictionary[Storage, BookLibrary] = WeakKeyDictionary()


def books_of(storage: Storage) -> BookLibrary:
    """Return the lorebooks of a storage, the same for all who ask. Raises ``ConfigurationError``."""
    if storage not in _libraries:
        _libraries[storage] = BookLibrary(storage, read_settings(CharactersSettings))
    return _libraries[storage]


def _list_of(book: BookSummary) -> str:
    return SERVER if book.scope == "server" else owner_name(book.user_id)


def _with(held: BookList | None, book: Lorebook) -> BookList:
    line = BookSummary.model_validate(book.model_dump(exclude={"book"}))
    books = list(held.books) if held else []
    at = next((at for at, one in enumerate(books) if one.id == book.id), len(books))
    books[at : at + 1] = [line]
    return BookList(user_id=book.user_id, books=tuple(books))


def _without(held: BookList | None, book: BookSummary) -> BookList:
    left = tuple(one for one in held.books if one.id != book.id) if held else ()
    return BookList(user_id=book.user_id, books=left)
