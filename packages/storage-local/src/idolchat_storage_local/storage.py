"""Conversations as JSON files on the local disk."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import Any
from uuid import UUID

from idolchat_core import (
    EVERYTHING,
    Conversation,
    ConversationDamaged,
    ConversationFilter,
    ConversationList,
    ConversationNotFound,
    InvalidRequest,
    Leftover,
    Message,
    Page,
    Repair,
    Storage,
    StorageError,
    StorageStats,
    StorageUnavailable,
    StoredId,
    VerificationResult,
    WorkerThreads,
    check_record_name,
    document,
    id_text,
    one_shot,
    read_settings,
)
from idolchat_core.search import Query, SearchResults
from idolchat_storage_local.clean_shutdown import CleanShutdown
from idolchat_storage_local.files import message_replacement, reading, writing
from idolchat_storage_local.files.data_folder import DataFolder
from idolchat_storage_local.files.disk import Disk, unavailable
from idolchat_storage_local.files.document_file import Append, Update
from idolchat_storage_local.files.log_files import AddLines, Logs
from idolchat_storage_local.files.open_files import Files
from idolchat_storage_local.files.record_files import Records
from idolchat_storage_local.index.entry import Entry, EntryFilter
from idolchat_storage_local.index.sqlite_index import IndexBroken
from idolchat_storage_local.index.write_behind import WriteBehindIndex
from idolchat_storage_local.maintenance import Upkeep
from idolchat_storage_local.scan_rounds import ScanRounds
from idolchat_storage_local.scanner import Scanner
from idolchat_storage_local.search import Searcher, SearchUnavailable
from idolchat_storage_local.settings import LocalSettings
from idolchat_storage_local.writer_thread import Writer

__all__ = ["LocalStorage", "open_local_storage"]

log = logging.getLogger(__name__)

_READERS = 8
_BATCH = 128
_FEW_MESSAGES = 64
"""A new conversation with more than these is written where nobody waits for it."""
_SCAN_PATIENCE_S = 10.0
_TRIES = 3


@asynccontextmanager
async def open_local_storage(
    settings: LocalSettings | None = None, *, disk: Disk | None = None
) -> AsyncGenerator[LocalStorage]:
    """Open the data folder, making it where it is new, and close it at the end.

    Raises ``ConfigurationError`` when it cannot be used.
    """
    if settings is None:
        settings = read_settings(LocalSettings)
    loop = asyncio.get_running_loop()
    storage = await asyncio.to_thread(LocalStorage, settings, loop, disk or Disk(), is_brief=one_shot.get())
    try:
        yield storage
    finally:
        await asyncio.shield(asyncio.to_thread(storage.close))


class LocalStorage(Storage):
    """Made by ``open_local_storage``; the README says what lies where, and what the guarantees rest on."""

    def __init__(
        self, settings: LocalSettings, loop: asyncio.AbstractEventLoop, disk: Disk, *, is_brief: bool = False
    ) -> None:
        self._disk = disk
        self._folder = DataFolder(settings.data_dir, disk)
        self._folder.open()
        self._index = WriteBehindIndex(self._folder.index, require_folder=self._folder.require)
        self._files = Files(self._folder, disk, self._index)
        self._records = Records(self._folder, disk)
        self._readers = WorkerThreads(_READERS, name="idolchat-reader")
        self._logs = Logs(self._folder, disk)
        self._writer = Writer(self._files, self._logs, self._readers, loop)
        rounds = ScanRounds()
        self._clean_shutdown = CleanShutdown(self._folder, disk, self._index, rounds)
        self._scanner = Scanner(self._files, self._clean_shutdown, rounds, is_brief=is_brief)
        self._upkeep = Upkeep(self._files)
        self._searcher = Searcher(self._files, self._folder.search)
        self._is_closed = False
        self._clean_shutdown.enter()
        self._index.start(self._scanner)
        self._scanner.start()

    def close(self) -> None:
        """Finish what was asked for and close the files; waits for the disk."""
        self._is_closed = True
        self._writer.close()
        with suppress(OSError, StorageError):
            self._files.undo_failed()
        self._readers.close()
        self._scanner.close()
        self._searcher.close()
        self._clean_shutdown.leave(has_all=self._scanner.has_all)
        self._index.close()

    async def create(self, conversation: Conversation) -> str:
        if len(conversation.messages) > _FEW_MESSAGES:
            return await self._work(writing.create_now, self._files, conversation)
        written = writing.write_out(conversation)
        return await self._writer.ask(lambda: writing.create(self._files, written))

    async def append(
        self,
        conversation_id: UUID,
        messages: Sequence[Message],
        *,
        expected_count: int,
        updated_at: datetime,
        head: StoredId | None = None,
        expected_revision: str | None = None,
    ) -> str | None:
        change = Append(
            conversation_id=conversation_id,
            lines=[document.line(message) for message in messages],
            turn_ids=[id_text(message.turn_id) for message in messages if message.turn_id is not None],
            expected_count=expected_count,
            updated_at=updated_at,
            head=None if head is None else str(head),
            expected_revision=expected_revision,
        )
        return await self._writer.change(change)

    async def update(
        self,
        conversation_id: UUID,
        fields: Mapping[str, Any],
        *,
        expected_count: int,
        expected_revision: str | None = None,
    ) -> str:
        return await self._writer.change(Update(conversation_id, fields, expected_count, expected_revision))

    async def replace_message(self, conversation_id: UUID, message: Message) -> None:
        unindexed = self._searcher.unindexed
        await self._work(
            message_replacement.replace_message, self._files, conversation_id, message, unindexed=unindexed
        )

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        return await self._work(reading.read_page, self._files, conversation_id, limit=limit, before=before)

    async def read(self, conversation_id: UUID) -> Conversation:
        return await self._work(reading.read_whole, self._files, conversation_id)

    async def read_document(self, conversation_id: UUID) -> bytes:
        data, _ = await self.read_revised(conversation_id)
        return data

    async def read_revised(self, conversation_id: UUID) -> tuple[bytes, str]:
        return await self._work(reading.read_revised, self._files, conversation_id)

    async def revisions(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, str]:
        return await self._work(reading.revisions, self._files, conversation_ids)

    def revisions_here(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, str]:
        self._check_open()
        try:
            return reading.revisions(self._files, conversation_ids)
        except OSError as error:
            raise unavailable(error) from error

    async def list(
        self, matching: ConversationFilter = EVERYTHING, *, limit: int = 20, before: str | None = None
    ) -> ConversationList:
        place = _place(before) if before is not None else None
        entries = await self._when_complete(self._newest, EntryFilter.of(matching), place, limit + 1)
        last = entries[limit - 1] if len(entries) > limit else None
        return ConversationList(
            data=[entry.summary() for entry in entries[:limit]],
            next=f"{last.updated_at}~{last.id}" if last is not None else None,
        )

    async def list_ids(self) -> Collection[UUID]:
        return await self._work(self._folder.ids)

    async def search(
        self,
        text: str,
        matching: ConversationFilter = EVERYTHING,
        *,
        limit: int = 20,
        before: str | None = None,
    ) -> SearchResults:
        query = Query(text)
        try:
            return await self._when_complete(self._search, query, EntryFilter.of(matching), limit, before)
        except SearchUnavailable as error:
            log.warning("there is no search index; everything is read instead", extra={"reason": str(error)})
        return await super().search(text, matching, limit=limit, before=before)

    async def settle(self) -> None:
        while not (finished := self._scanner.finished).done():
            await asyncio.wait([asyncio.wrap_future(finished)])

    async def stats(self, matching: ConversationFilter = EVERYTHING) -> StorageStats:
        return await self._when_complete(self._count, EntryFilter.of(matching))

    async def find_turn(self, turn_id: UUID) -> UUID | None:
        found = None
        with suppress(IndexBroken):
            found = await self._work(self._index.turn, str(turn_id))
        if found is None:
            found = await self._when_complete(self._turn, str(turn_id))
        return UUID(found) if found is not None else None

    async def put(self, conversation: Conversation) -> None:
        await self._work(lambda: self._put(writing.write_out(conversation)))

    async def put_documents(self, documents: Mapping[UUID, bytes]) -> None:
        await self._work(self._put_documents, documents)

    async def read_documents(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, bytes | ConversationDamaged]:
        found: dict[UUID, bytes | ConversationDamaged] = {}
        for some in batched(conversation_ids, _BATCH):
            found |= await self._work(self._documents, some)
        return found

    async def read_stored(self, conversation_id: UUID) -> bytes:
        return await self._work(self._upkeep.read_stored, conversation_id)

    async def verify(self, conversation_ids: Iterable[UUID] | None = None) -> AsyncGenerator[VerificationResult]:
        chosen = await self.list_ids() if conversation_ids is None else conversation_ids
        for some in batched(chosen, _BATCH):
            for verdict in await self._work(self._upkeep.judge, some):
                yield verdict
        if conversation_ids is None:
            for verdict in await self._work(self._upkeep.judge_index):
                yield verdict

    async def repair(self, conversation_id: UUID, *, dry_run: bool = False) -> Repair:
        return await self._work(self._upkeep.repair, conversation_id, dry_run=dry_run)

    async def reindex(self) -> AsyncGenerator[int]:
        ids = await self.list_ids()
        await self._work(self._searcher.begin_anew)
        # Two rounds over all of them, so each counts by half.
        for number, some in enumerate(batched(ids, _BATCH)):
            await self._work(self._upkeep.read_anew, some)
            yield (number * _BATCH + len(some)) // 2
        await self._work(self._upkeep.forget_gone)
        done, stuck = 0, set[str]()
        with suppress(SearchUnavailable):
            while some_more := await self._when_complete(self._searcher.catch_up_some, stuck):
                done = min(done + some_more, len(ids))
                yield (len(ids) + done) // 2
        yield len(ids)

    async def collect_garbage(self, *, older_than: timedelta, dry_run: bool = False) -> AsyncGenerator[Leftover]:
        async for leftover in super().collect_garbage(older_than=older_than, dry_run=dry_run):
            yield leftover
        leftovers = self._upkeep.leftovers(older_than=older_than, dry_run=dry_run)
        while (found := await self._work(next, leftovers, None)) is not None:
            yield found
        leftover_words = await self._work(self._searcher.words_of_gone, dry_run=dry_run)
        if leftover_words is not None:
            yield leftover_words

    async def delete(self, conversation_id: UUID, *, expected_revision: str | None = None) -> None:
        await self._work(writing.delete, self._files, conversation_id, expected_revision=expected_revision)

    async def check(self) -> None:
        await self._work(self._folder.probe)
        await self._work(self._files.undo_failed)

    async def get_record(self, namespace: str, name: str) -> bytes | None:
        check_record_name(namespace, name)
        return await self._work(self._records.get, namespace, name)

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        check_record_name(namespace, name)
        putting = partial(self._records.put, namespace, name, value, durable=durable, if_version=if_version)
        return await self._writer.ask(putting)

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        check_record_name(namespace, name)
        await self._writer.ask(partial(self._records.delete, namespace, name, if_version=if_version))

    async def list_namespaces(self) -> Sequence[str]:
        return await self._work(self._folder.namespaces)

    async def list_records(self, namespace: str, *, after: str = "", limit: int | None = None) -> Sequence[str]:
        check_record_name(namespace)
        return await self._work(self._records.names, namespace, after, limit)

    def append_log(self, namespace: str, name: str, lines: bytes, *, durable: bool = True) -> Awaitable[None]:
        check_record_name(namespace, name)
        return self._writer.add_lines(AddLines(namespace, name, lines, durable))

    async def read_log(self, namespace: str, name: str, *, start: int = 0) -> bytes:
        check_record_name(namespace, name)
        return await self._work(self._logs.read, namespace, name, start)

    async def list_logs(self, namespace: str) -> Sequence[str]:
        check_record_name(namespace)
        return await self._work(self._logs.names, namespace)

    async def _work[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._check_open()
        try:
            return await self._readers.ask(partial(function, *args, **kwargs))
        except OSError as error:
            raise unavailable(error) from error

    def _check_open(self) -> None:
        if self._is_closed:
            raise StorageUnavailable("this storage is closed")

    async def _when_complete[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask the index once it is as the files are. Raises ``StorageUnavailable`` when that takes long."""
        for _ in range(_TRIES):
            finished = self._scanner.finished
            if not finished.done():
                waiting = asyncio.wrap_future(finished)
                done, _ = await asyncio.wait([waiting], timeout=_SCAN_PATIENCE_S)
                if not done:
                    break
                waiting.exception()  # looked at below, where it may have been there before
            if (refused := finished.exception()) is not None:
                raise StorageUnavailable(f"the conversations cannot be listed: {refused}; try again later")
            with suppress(IndexBroken):
                result = await self._work(function, *args, **kwargs)
                if self._scanner.finished is finished:
                    return result
        raise StorageUnavailable("the list of conversations is being made from the files; try again later")

    def _documents(self, conversation_ids: Sequence[UUID]) -> dict[UUID, bytes | ConversationDamaged]:
        self._index.read_many(conversation_ids)
        found: dict[UUID, bytes | ConversationDamaged] = {}
        for conversation_id in conversation_ids:
            try:
                found[conversation_id], _ = reading.read_revised(self._files, conversation_id)
            except ConversationDamaged as error:
                found[conversation_id] = error
            except ConversationNotFound:
                continue
        return found

    def _put_documents(self, documents: Mapping[UUID, bytes]) -> None:
        for some in batched(documents.items(), _BATCH):
            written = [writing.take(data, conversation_id) for conversation_id, data in some]
            new = [one for one in written if self._folder.find(one.about.id) is None]
            writing.put_many(self._files, new)
            for one in written:
                if one not in new:
                    self._put(one)
            self._index.keep_pace()

    def _put(self, written: writing.Written) -> None:
        message_replacement.put(self._files, written, unindexed=self._searcher.unindexed)

    def _turn(self, turn_id: str) -> str | None:
        is_all = self._scanner.read_unread()
        found = self._index.turn(turn_id)
        if found is None and not is_all:
            raise StorageUnavailable("there are conversations that cannot be read now, and the turn may be in one")
        return found

    def _search(self, query: Query, matching: EntryFilter, limit: int, before: str | None) -> SearchResults:
        self._look_again()
        return self._searcher.search(query, matching, limit=limit, before=before)

    def _count(self, matching: EntryFilter) -> StorageStats:
        self._look_again()
        return self._index.count(matching)

    def _newest(self, matching: EntryFilter, before: tuple[int, str] | None, limit: int) -> Sequence[Entry]:
        self._look_again()
        return self._index.newest(matching, before, limit)

    def _look_again(self) -> None:
        self._scanner.glance()
        self._scanner.read_unread()


def _place(before: str) -> tuple[int, str]:
    found = re.fullmatch(r"(-?[0-9]{1,18})~([0-9a-f-]{36})", before, re.ASCII)
    if found is None:
        raise InvalidRequest("before is not the `next` of a page of this list", param="before")
    return int(found[1]), found[2]
