"""Conversations in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from itertools import batched
from typing import Any
from uuid import UUID

import asyncpg

from idolchat_core import (
    EVERYTHING,
    Bus,
    Conversation,
    ConversationDamaged,
    ConversationFilter,
    ConversationList,
    ConversationNotFound,
    Coordination,
    Instance,
    InvalidRequest,
    MemoryIndex,
    Message,
    Page,
    Record,
    Repair,
    SharedStorage,
    StorageConflict,
    StorageStats,
    StoredChanges,
    StoredId,
    TextAnalysis,
    VerificationResult,
    check_count,
    check_record_name,
    check_revision,
    document,
    issues_of,
    keep_aside,
    read_settings,
    repair_of,
    repaired,
)
from idolchat_core.search import SearchResults
from idolchat_storage_postgres import conversations, listing, logs, maintenance, records, search
from idolchat_storage_postgres.batch import Batches
from idolchat_storage_postgres.changes import ChosenTasks, read_changes
from idolchat_storage_postgres.conversations import APPEND, CREATE, READ_PAGE, Append, Create, ReadPage, put, read_pages
from idolchat_storage_postgres.coordination.member import Timing, list_instances
from idolchat_storage_postgres.coordination.opening import taking_part
from idolchat_storage_postgres.database import Database
from idolchat_storage_postgres.memory.index import open_memory_index
from idolchat_storage_postgres.rows import (
    LONG_BYTES,
    ConversationRow,
    MessageRow,
    conversation_of,
    document_of,
    is_long,
    message_rows,
    read_conversation,
    row_of,
    stored_id,
)
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.startup import open_checked

__all__ = ["PostgresStorage", "open_postgres_storage"]

_ALL = 2**31 - 1
_DIGITS = 19
"""Of a number of 64 bits."""
_PAGE = 256
"""Messages that are read together with what others read; more on a connection of their own."""
_BATCH = 128
_TRIES = 10
_CHECK = records.PutRecord("idolchat", "check", b"")


@asynccontextmanager
async def open_postgres_storage(settings: PostgresSettings | None = None) -> AsyncGenerator[PostgresStorage]:
    """Open the database, and close its connections at the end.

    Raises ``ConfigurationError`` for what must be set otherwise, and ``StorageUnavailable`` where it cannot be reached.
    """
    settings = settings or read_settings(PostgresSettings)
    async with open_checked(settings) as (database, sessions):
        durable = Batches(database, sessions)
        relaxed = Batches(database, [database.session(waits_for_disk=False, by_key=True)])
        reading = Batches(database, [database.session(by_key=True)])
        storage = PostgresStorage(database, durable=durable, relaxed=relaxed, reading=reading)
        try:
            yield storage
        finally:
            await storage.tasks.close()
            await durable.close()
            await relaxed.close()
            await reading.close()


class PostgresStorage(SharedStorage):
    """Made by ``open_postgres_storage``; the README says what lies where, and what the guarantees rest on.

    What ``durable`` has written waits for the disk, what ``relaxed`` has may be lost with the machine; pages are
    read by ``reading``.
    """

    def __init__(self, database: Database, *, durable: Batches, relaxed: Batches, reading: Batches) -> None:
        self.database = database
        self.durable = durable
        self.relaxed = relaxed
        self.reading = reading
        self.tasks = ChosenTasks(database)

    def open_coordination(
        self, bus: Bus | None = None, *, timing: Timing | None = None
    ) -> AbstractAsyncContextManager[Coordination]:
        return taking_part(
            self.database,
            durable=self.durable,
            relaxed=self.relaxed,
            reading=self.reading,
            bus=bus,
            timing=timing or Timing(),
        )

    async def instances(self) -> Sequence[Instance]:
        return await list_instances(self.database)

    def changes(self, since: str | None) -> AsyncGenerator[StoredChanges]:
        return read_changes(self.database, since)

    async def is_chosen(self, task: str) -> bool:
        return await self.tasks.has(task)

    async def create(self, conversation: Conversation) -> str:
        row, messages = await _written(conversation)
        version = await self.durable.ask(CREATE, Create(row, messages, conversations.new_version()))
        return str(version)

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
            conversation_id,
            await message_rows(messages),
            expected_count,
            updated_at,
            None if head is None else stored_id(head),
            _version_of(expected_revision),
        )
        for _ in range(_TRIES):
            if messages and 0 <= expected_count < _ALL:
                version = await self.durable.ask(APPEND, change)
                if version is not None:
                    return str(version)
            row = await self._row(conversation_id, limit=len(messages), before=expected_count + len(messages))
            if row["count"] > expected_count and _is_repeated(row, change):
                return None
            check_count(conversation_id, row["count"], expected_count)
            check_revision(conversation_id, str(row["version"]), expected_revision)
            if not messages:
                return str(row["version"])
        raise StorageConflict(f"conversation {conversation_id} is being written to; try again")

    async def update(
        self,
        conversation_id: UUID,
        fields: Mapping[str, Any],
        *,
        expected_count: int,
        expected_revision: str | None = None,
    ) -> str:
        for _ in range(_TRIES):
            row = await self._row(conversation_id, limit=0)
            check_count(conversation_id, row["count"], expected_count)
            check_revision(conversation_id, str(row["version"]), expected_revision)
            changed = await self._set_fields(row, fields)
            if changed is not None:
                return str(changed)
        raise StorageConflict(f"conversation {conversation_id} is being written to; try again")

    async def replace_message(self, conversation_id: UUID, message: Message) -> None:
        [one] = await message_rows([message])
        values = (conversation_id, one.id, one.turn_id, one.at, one.line, one.words)
        replaced = await self.database.fetch(conversations.REPLACE_MESSAGE, *values)
        if not replaced:
            await self._row(conversation_id, limit=0)
            raise InvalidRequest(f"no message {message.id} in conversation {conversation_id}", param="message_id")

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        row = await self._row(conversation_id, limit=limit, before=before)
        end = row["count"] if before is None else max(0, min(before, row["count"]))
        part = await read_conversation(row, expected=end - row["start"])
        return Page(conversation=part, start=row["start"], total=row["count"], revision=str(row["version"]))

    async def read(self, conversation_id: UUID) -> Conversation:
        row = await self._row(conversation_id, limit=_ALL)
        return await read_conversation(row, expected=row["count"])

    async def read_document(self, conversation_id: UUID) -> bytes:
        return (await self.read_revised(conversation_id))[0]

    async def read_revised(self, conversation_id: UUID) -> tuple[bytes, str]:
        row = await self._row(conversation_id, limit=_ALL)
        data = await asyncio.to_thread(_sound_document, row) if is_long(row) else _sound_document(row)
        return data, str(row["version"])

    async def read_stored(self, conversation_id: UUID) -> bytes:
        row = await self._row(conversation_id, limit=_ALL)
        return document_of(row, row["lines"])

    async def read_documents(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, bytes | ConversationDamaged]:
        found: dict[UUID, bytes | ConversationDamaged] = {}
        for some in batched(conversation_ids, _BATCH):
            rows = await conversations.read_many(self.database, some)
            found |= await asyncio.to_thread(_documents, rows)
        return found

    async def revisions(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, str]:
        rows = await self.database.fetch(conversations.REVISIONS, list(conversation_ids)) if conversation_ids else ()
        return {row["id"]: str(row["version"]) for row in rows}

    async def list(
        self, matching: ConversationFilter = EVERYTHING, *, limit: int = 20, before: str | None = None
    ) -> ConversationList:
        return await listing.list_conversations(self.database, matching, limit=limit, before=before)

    async def list_ids(self) -> Collection[UUID]:
        return await listing.list_ids(self.database)

    async def search(
        self, text: str, matching: ConversationFilter = EVERYTHING, *, limit: int = 20, before: str | None = None
    ) -> SearchResults:
        return await search.search_messages(self.database, text, matching, limit=limit, before=before)

    async def stats(self, matching: ConversationFilter = EVERYTHING) -> StorageStats:
        return await listing.count_conversations(self.database, matching)

    async def find_turn(self, turn_id: UUID) -> UUID | None:
        return await listing.find_turn(self.database, turn_id)

    async def put(self, conversation: Conversation) -> None:
        written = await _written(conversation)
        await self.database.run(lambda connection: put(connection, [written]))

    async def create_document(self, conversation_id: UUID, data: bytes) -> None:
        await self.create(await _decoded(data, conversation_id))

    async def put_document(self, conversation_id: UUID, data: bytes) -> None:
        await self.put(await _decoded(data, conversation_id))

    async def put_documents(self, documents: Mapping[UUID, bytes]) -> None:
        written = [await _written(await _decoded(data, one)) for one, data in documents.items()]
        if written:
            await self.database.run(lambda connection: put(connection, written))

    async def delete(self, conversation_id: UUID, *, expected_revision: str | None = None) -> None:
        expected = _version_of(expected_revision)
        version = await self.database.run(
            lambda connection: conversations.delete(connection, conversation_id, expected_version=expected),
            is_repeatable=False,
        )
        if version is None:
            raise _not_found(conversation_id)
        check_revision(conversation_id, str(version), expected_revision)

    async def verify(self, conversation_ids: Iterable[UUID] | None = None) -> AsyncGenerator[VerificationResult]:
        chosen = await self.list_ids() if conversation_ids is None else conversation_ids
        for some in batched(chosen, _BATCH):
            for verdict in await maintenance.judge(self.database, some):
                yield verdict

    async def repair(self, conversation_id: UUID, *, dry_run: bool = False) -> Repair:
        row = await self._row(conversation_id, limit=_ALL)
        conversation = await read_conversation(row, expected=row["count"])
        issues = tuple(issues_of(conversation))
        if dry_run or not issues:
            return repair_of(conversation, issues, None)
        kept_as = await keep_aside(self, conversation_id, document_of(row, row["lines"]))
        written = await _written(repaired(conversation))
        version = row["version"]
        if not await self.database.run(lambda connection: put(connection, [written], expected_version=version)):
            raise StorageConflict(f"conversation {conversation_id} is being written to; repair it once more")
        return repair_of(conversation, issues, kept_as)

    async def reindex(self) -> AsyncGenerator[int]:
        done = 0
        for some in batched(await self.list_ids(), _BATCH):
            await maintenance.derive_anew(self.database, some)
            done += len(some)
            yield done

    async def check(self) -> None:
        await self.database.run(lambda connection: records.PUT_RECORD.run(connection, [_CHECK]), patience_s=0)

    async def get_record(self, namespace: str, name: str) -> bytes | None:
        record = await self.read_record(namespace, name)
        return None if record is None else record.value

    async def read_record(self, namespace: str, name: str) -> Record | None:
        check_record_name(namespace, name)
        return await records.read_record(self.database, namespace, name)

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        check_record_name(namespace, name)
        one = records.PutRecord(namespace, name, value)
        if if_version is not None:
            return await records.replace_record(self.database, one, if_version=if_version)
        return await (self.durable if durable else self.relaxed).ask(records.PUT_RECORD, one)

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        check_record_name(namespace, name)
        await records.delete_record(self.database, namespace, name, if_version=if_version)

    async def list_records(self, namespace: str, *, after: str = "", limit: int | None = None) -> Sequence[str]:
        check_record_name(namespace)
        return await records.list_names(self.database, namespace, after=after, limit=limit)

    async def list_namespaces(self) -> Sequence[str]:
        return await records.list_namespaces(self.database)

    def memory_index(self, analysis: TextAnalysis) -> AbstractAsyncContextManager[MemoryIndex]:
        return open_memory_index(self.database, analysis)

    def append_log(self, namespace: str, name: str, lines: bytes, *, durable: bool = True) -> Awaitable[None]:
        check_record_name(namespace, name)
        one = logs.AddLines(namespace, name, lines)
        return (self.durable if durable else self.relaxed).ask(logs.ADD_LINES, one)

    async def read_log(self, namespace: str, name: str, *, start: int = 0) -> bytes:
        check_record_name(namespace, name)
        return await logs.read_log(self.database, namespace, name, start=start)

    async def list_logs(self, namespace: str) -> Sequence[str]:
        check_record_name(namespace)
        return await logs.list_logs(self.database, namespace)

    async def _row(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> asyncpg.Record:
        """Read a conversation with the lines of a page. Raises ``ConversationNotFound``."""
        end = _ALL if before is None else max(0, min(before, _ALL))
        page = ReadPage(conversation_id, max(0, limit), end)
        if page.limit <= _PAGE:
            row = await self.reading.ask(READ_PAGE, page)
        else:
            [row] = await self.database.run(lambda connection: read_pages(connection, [page]))
        if row is None:
            raise _not_found(conversation_id)
        return row

    async def _set_fields(self, row: asyncpg.Record, fields: Mapping[str, Any]) -> int | None:
        """Set fields of a conversation that is still as in a row, and return its version; else None."""
        before = conversation_of(row, None, expected=0).model_dump(exclude_unset=True, exclude={"messages"})
        after = row_of(Conversation.model_validate(document.changed(before, fields)))
        values = (row["id"], row["version"], after.head, after.rest, after.groups)
        # Repeated, it would meet the version that it has made.
        version: int | None = await self.database.run(
            lambda connection: connection.fetchval(conversations.SET_FIELDS, *values), is_repeatable=False
        )
        return version


async def _written(conversation: Conversation) -> tuple[ConversationRow, Sequence[MessageRow]]:
    return row_of(conversation), await message_rows(conversation.messages)


async def _decoded(data: bytes, conversation_id: UUID) -> Conversation:
    if len(data) < LONG_BYTES:
        return document.decode(data, conversation_id)
    return await asyncio.to_thread(document.decode, data, conversation_id)


def _sound_document(row: asyncpg.Record) -> bytes:
    if conversation_of(row, row["lines"], expected=row["count"]).status == "damaged":
        raise ConversationDamaged(f"conversation {row['id']} can be read only in part")
    return document_of(row, row["lines"])


def _documents(rows: Mapping[UUID, asyncpg.Record]) -> dict[UUID, bytes | ConversationDamaged]:
    found: dict[UUID, bytes | ConversationDamaged] = {}
    for conversation_id, row in rows.items():
        try:
            found[conversation_id] = _sound_document(row)
        except ConversationDamaged as error:
            found[conversation_id] = error
    return found


def _is_repeated(row: asyncpg.Record, change: Append) -> bool:
    """Whether the lines of a row, which end where those of an appending would, are these very lines."""
    lines: str | None = row["lines"]
    return lines == ",\n".join(message.line for message in change.messages)


def _version_of(revision: str | None) -> int | None:
    """Read a revision; one that is none of ours is that of nothing."""
    if revision is None:
        return None
    is_number = revision.isascii() and revision.isdigit() and len(revision) <= _DIGITS
    return min(int(revision), 2**63 - 1) if is_number else -1


def _not_found(conversation_id: UUID) -> ConversationNotFound:
    return ConversationNotFound(f"there is no conversation {conversation_id}")
