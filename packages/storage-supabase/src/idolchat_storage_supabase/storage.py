"""Conversations as objects in Supabase Storage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import batched
from typing import Any
from uuid import UUID

from idolchat_core import (
    EVERYTHING,
    Conversation,
    ConversationDamaged,
    ConversationExists,
    ConversationFilter,
    ConversationList,
    ConversationNotFound,
    ConversationSummary,
    KeyValueStorage,
    Leftover,
    Message,
    StorageError,
    StorageUnavailable,
    StoredId,
    check_revision,
    document,
    namespaces_among,
    pagination,
)
from idolchat_storage_supabase.bucket import PROOF_HOLDS_S, Bucket
from idolchat_storage_supabase.cache import DocumentCache
from idolchat_storage_supabase.chats import ChatsTable, Row
from idolchat_storage_supabase.conversation_index import ConversationIndex, document_key, facts_of
from idolchat_storage_supabase.directory import ROWS_A_CALL, Directory
from idolchat_storage_supabase.errors import AlreadyThere
from idolchat_storage_supabase.tails import NEW, Grown, Tails, grown, is_needed
from idolchat_storage_supabase.turns import CLOCKS_DIFFER_BY, TurnMap, holds_turn, likely_first, made_at

__all__ = ["SupabaseStorage"]

log = logging.getLogger(__name__)

MAX_SEARCHED = 200
"""How many documents are read to find a turn that was not seen by this process."""
MAX_LISTED = 10_000
_LONG_BYTES = 256 * 1024
"""Reading a longer document takes so many milliseconds that others must not wait for it."""
AT_ONCE = 8
CLOSE_S = 5.0
"""How long a stop may take to write documents."""


class SupabaseStorage(KeyValueStorage):
    """Every conversation is the object ``<uuid>.json``, and every record ``records/<namespace>/<name>``.

    Messages that wait for their reply are a small object of their own until it comes; see ``tails``.

    A write that has begun goes on to its end when its caller is cancelled, so that it cannot arrive later than the next
    one. What was read or written last is kept in memory for a while and taken for the newest, as one process writes.
    """

    is_far = True
    caution = (
        "Supabase Storage replaces whole objects without comparing, so only one server may write a conversation:"
        " two that write to the same one at the same time can lose a message"
    )

    def __init__(self, bucket: Bucket, table: ChatsTable, *, cache: DocumentCache, tails: Tails) -> None:
        super().__init__()
        self._bucket = bucket
        self._cache = cache
        self._tails = tails
        self._index = ConversationIndex(bucket, self._described, tails)
        self._directory = Directory(table, self._index.summaries, self._index.summary)
        self._turns = TurnMap()
        self._running: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """Finish the writes that have begun, and write the documents whose messages had no reply."""
        if self._running:
            await asyncio.wait(self._running)
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*map(self._complete, self._tails.written_here))
        except (StorageError, TimeoutError) as error:
            log.info("messages without a reply stay in tails", extra={"reason": str(error)})
        await self._tails.close()
        await self._directory.close()

    async def _complete(self, conversation_id: UUID) -> None:
        async with self._writing(conversation_id):
            with suppress(ConversationNotFound):
                conversation, _ = await self._load(conversation_id)
                await self.write(conversation)

    def document_key(self, conversation_id: UUID) -> str:
        return document_key(conversation_id)

    async def get_value(self, key: str) -> bytes | None:
        return await self._bucket.read(key)

    async def put_value(self, key: str, value: bytes) -> None:
        await self._bucket.write(key, value, content_type="application/octet-stream")

    async def replace_value(self, key: str, value: bytes | None, *, expected: bytes | None) -> bool:
        """Write a value, which the server compares with nothing but whether there is one.

        So writers of several processes are kept apart only when they make a value. A retry may find what the first try
        has made.
        """
        if value is None or expected is not None:
            return await super().replace_value(key, value, expected=expected)
        writing = self._bucket.write(key, value, content_type="application/octet-stream", only_if_new=True)
        try:
            await writing
        except AlreadyThere:
            return await self.get_value(key) == value
        return True

    async def delete_value(self, key: str) -> None:
        await self._bucket.remove(key)

    async def list_keys(self, prefix: str) -> Sequence[str]:
        folder = prefix.rstrip("/")
        return [f"{folder}/{entry.name}" async for entry in self._bucket.entries(folder) if not entry.is_folder]

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        putting = super().put_record(namespace, name, value, durable=durable, if_version=if_version)
        return await self._whole(putting)

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        await self._whole(super().delete_record(namespace, name, if_version=if_version))

    async def list_namespaces(self) -> Sequence[str]:
        return namespaces_among([entry.name async for entry in self._bucket.entries("records") if entry.is_folder])

    async def create(self, conversation: Conversation) -> str:
        return await self._whole(super().create(conversation))

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
        adding = super().append(
            conversation_id,
            messages,
            expected_count=expected_count,
            updated_at=updated_at,
            head=head,
            expected_revision=expected_revision,
        )
        revision = await self._whole(adding)
        self._turns.note(conversation_id, messages)
        return revision

    async def update(
        self,
        conversation_id: UUID,
        fields: Mapping[str, Any],
        *,
        expected_count: int,
        expected_revision: str | None = None,
    ) -> str:
        changing = super().update(
            conversation_id, fields, expected_count=expected_count, expected_revision=expected_revision
        )
        return await self._whole(changing)

    async def put(self, conversation: Conversation) -> None:
        data = document.encode(conversation)
        await self._whole(self._put(conversation.id, data, pagination.summary(conversation)))

    async def put_document(self, conversation_id: UUID, data: bytes) -> None:
        summary = await _described_soon(data, conversation_id)
        await self._whole(self._put(conversation_id, data, summary))

    async def create_document(self, conversation_id: UUID, data: bytes) -> None:
        summary = await _described_soon(data, conversation_id)
        try:
            await self._whole(self._put(conversation_id, data, summary, only_if_new=True))
        except AlreadyThere as error:
            raise ConversationExists(f"there is a conversation {conversation_id} already") from error

    async def delete(self, conversation_id: UUID, *, expected_revision: str | None = None) -> None:
        await self._whole(self._delete(conversation_id, expected_revision))

    async def write(self, conversation: Conversation) -> bytes:
        data, summary = document.encode(conversation), pagination.summary(conversation)
        await self._upload(conversation.id, data, summary)
        self._cache.keep(conversation.id, Grown(data, document.digest(data), 0))
        await self._directory.changed_now(conversation.id, summary)
        return data

    async def holds(self, conversation_id: UUID) -> bool:
        if await self._bucket.facts(self.document_key(conversation_id)) is not None:
            return True
        return any(key.base == NEW for key in await self._tails.of(conversation_id))

    async def write_grown(self, conversation: Conversation, *, new: int, on: str | None) -> bytes:
        """Write messages that wait for a reply by themselves, others with the whole document."""
        if not conversation.messages or conversation.messages[-1].role == "assistant":
            return await self.write(conversation)
        before = Grown(b"", NEW, 0) if on is None else self._cache.get(conversation.id)
        if before is None or (on is not None and document.digest(before.data) != on):
            return await self.write(conversation)  # it is not known what the object lacks
        self._cache.drop(conversation.id)
        waiting = before.waiting + new
        try:
            if not await self._tails.write(conversation, base=before.base, waiting=waiting):
                return await self.write(conversation)
        finally:
            self._cache.drop(conversation.id)  # what was read meanwhile may be what was there before
        data, summary = document.encode(conversation), pagination.summary(conversation)
        self._cache.keep(conversation.id, Grown(data, before.base, waiting))
        self._index.note(summary)
        self._directory.changed(conversation.id, summary)
        return data

    async def replace_message(self, conversation_id: UUID, message: Message) -> None:
        await self._whole(self._replace_message(conversation_id, message))

    async def _replace_message(self, conversation_id: UUID, message: Message) -> None:
        before = await self._tails.all_of(conversation_id, max_age_s=0)
        await super().replace_message(conversation_id, message)
        await self._tails.remove_written(conversation_id, before)

    async def read_document(self, conversation_id: UUID) -> bytes:
        data = await self._data(conversation_id)
        return await asyncio.to_thread(_canonical, data, conversation_id)

    async def read_revised(self, conversation_id: UUID) -> tuple[bytes, str]:
        data = await self._data(conversation_id)
        return await asyncio.to_thread(_canonical, data, conversation_id), document.digest(data)

    async def list(
        self, matching: ConversationFilter = EVERYTHING, *, limit: int = 20, before: str | None = None
    ) -> ConversationList:
        last = None if before is None else _row_of(before)
        if await self._directory.can_be_believed():
            found = await self._listed_by_table(last, limit=limit, **asdict(matching))
            if found is not None:
                return found
        summaries = [summary async for summary in self._index.summaries()]
        return pagination.cut_list(summaries, matching, limit=limit, before=before)

    async def list_ids(self) -> Sequence[UUID]:
        return [conversation_id async for conversation_id in self._index.ids()]

    async def find_turn(self, turn_id: UUID) -> UUID | None:
        """Return which conversation holds a message with this turn.

        One that this process has not seen is looked for in ``MAX_SEARCHED`` of the documents that were written since
        its id was made; raises ``StorageUnavailable`` where there are more, and it is not in these.
        """
        known = self._turns.get(turn_id)
        if known is not None and await self._holds(known, turn_id):
            return known
        return await self._found_in_tails(turn_id) or await self._found_in_objects(turn_id)

    async def _found_in_tails(self, turn_id: UUID) -> UUID | None:
        made = made_at(turn_id) - CLOCKS_DIFFER_BY
        for conversation_id, key in (await self._tails.newest()).items():
            if made_at(UUID(key.number)) >= made and await self._holds(conversation_id, turn_id):
                return conversation_id
        return None

    async def _found_in_objects(self, turn_id: UUID) -> UUID | None:
        made = made_at(turn_id)
        written: list[tuple[UUID, datetime]] = []
        async for one in self._index.written_since(made - CLOCKS_DIFFER_BY):
            written.append(one)
            if len(written) == MAX_LISTED:
                break
        for some in batched(likely_first(written, made)[:MAX_SEARCHED], AT_ONCE):
            holds = await asyncio.gather(*(self._holds(conversation_id, turn_id) for conversation_id in some))
            if True in holds:
                return some[holds.index(True)]
        if len(written) > MAX_SEARCHED:
            raise StorageUnavailable(
                f"turn {turn_id} is not in {MAX_SEARCHED} of the conversations that were written since it was made,"
                " and more are not searched; read its conversation instead"
            )
        return None

    async def reindex(self) -> AsyncGenerator[int]:
        for done, conversation_id in enumerate(await self.list_ids(), start=1):
            async with self._writing(conversation_id):
                summary = await self._index.summary(conversation_id)
                if summary is not None:
                    self._directory.changed(conversation_id, summary)
            if done % ROWS_A_CALL == 0:
                await self._directory.flush()
            yield done
        await self._directory.flush()

    async def collect_garbage(self, *, older_than: timedelta, dry_run: bool = False) -> AsyncGenerator[Leftover]:
        async for leftover in super().collect_garbage(older_than=older_than, dry_run=dry_run):
            yield leftover
        for key in await self._tails.everything():
            async with self._writing(key.conversation_id):
                # Read after it was listed: an object that it belongs to was written before it.
                stored = await self._bucket.read(self.document_key(key.conversation_id))
                data = (await self._tails.read([key])).get(key)
                if data is None or is_needed(key, stored):
                    continue
                if not dry_run:
                    await self._tails.remove([key])
            yield Leftover(kind="temporary", place=str(key), size_bytes=len(data))

    async def _data(self, conversation_id: UUID) -> bytes:
        kept = self._cache.get(conversation_id)
        if kept is None:
            with self._cache.reading(conversation_id) as keep:
                kept = await self._read(conversation_id)
                keep(kept)
        return kept.data

    async def _read(self, conversation_id: UUID) -> Grown:
        # The tails first: one that is written into the object meanwhile is then found there.
        tails = await self._tails.read(await self._tails.of(conversation_id))
        stored = await self._bucket.read(self.document_key(conversation_id))
        if stored is None and not tails:  # unless another process has just begun it
            tails = await self._tails.read(await self._tails.of(conversation_id, max_age_s=0))
        found = await asyncio.to_thread(grown, stored, tails, conversation_id) if tails else None
        if found is None and stored is not None:
            found = Grown(stored, document.digest(stored), 0)
        if found is None:
            raise ConversationNotFound(f"there is no conversation {conversation_id}")
        return found

    async def _put(
        self, conversation_id: UUID, data: bytes, summary: ConversationSummary, *, only_if_new: bool = False
    ) -> None:
        async with self._writing(conversation_id):
            await self._bucket.ready(writes=True)
            tails = await self._tails.all_of(conversation_id, max_age_s=PROOF_HOLDS_S)
            if only_if_new and any(key.base == NEW for key in tails):
                raise AlreadyThere(f"conversation {conversation_id} has been begun")
            await self._upload(conversation_id, data, summary, only_if_new=only_if_new)
            await self._tails.remove(tails)  # also those that belong to just such an object
            self._directory.changed(conversation_id, summary)

    async def _delete(self, conversation_id: UUID, expected_revision: str | None) -> None:
        async with self._writing(conversation_id):
            self._cache.drop(conversation_id)
            if expected_revision is not None:
                revision = document.digest(await self._data(conversation_id))
                check_revision(conversation_id, revision, expected_revision)
                self._cache.drop(conversation_id)
            tails = await self._tails.all_of(conversation_id, max_age_s=0)
            has_begun = any(key.base == NEW for key in tails)
            if await self._bucket.facts(self.document_key(conversation_id)) is None and not has_begun:
                raise ConversationNotFound(f"there is no conversation {conversation_id}")
            try:
                await self._tails.remove(tails, beside=[self.document_key(conversation_id)])
            finally:
                self._cache.drop(conversation_id)  # what was read meanwhile may be what was there before
            await self._directory.changed_now(conversation_id, None)

    async def _upload(
        self, conversation_id: UUID, data: bytes, summary: ConversationSummary, *, only_if_new: bool = False
    ) -> None:
        self._cache.drop(conversation_id)
        try:
            await self._bucket.write(
                self.document_key(conversation_id),
                data,
                content_type="application/json",
                facts=facts_of(summary),
                only_if_new=only_if_new,
            )
        finally:
            self._cache.drop(conversation_id)  # what was read meanwhile may be what was there before
        self._tails.drop_of(conversation_id)
        self._index.note(summary)

    async def _listed_by_table(self, last: Row | None, *, limit: int, **filters: Any) -> ConversationList | None:
        found: list[tuple[Row, ConversationSummary]] = []
        is_last = False
        while len(found) <= limit and not is_last:
            wanted = limit + 1 - len(found)
            answer = await self._directory.page(before=last, limit=wanted, **filters)
            if answer is None:
                return None
            rows, is_last = answer
            if rows:
                last = rows[-1]
            summaries = await self._index.of_rows(rows)
            found += [(row, summary) for row, summary in zip(rows, summaries, strict=True) if summary is not None]
        page = found[:limit]
        more = f"{page[-1][0].updated_at.isoformat()}~{page[-1][0].id}" if page and len(found) > limit else None
        return ConversationList(data=[summary for _, summary in page], next=more)

    async def _holds(self, conversation_id: UUID, turn_id: UUID) -> bool:
        with suppress(ConversationNotFound, ConversationDamaged):
            conversation = await self.read(conversation_id)
            self._turns.note(conversation_id, conversation.messages)
            return holds_turn(conversation, turn_id)
        return False

    async def _described(self, conversation_id: UUID) -> ConversationSummary | None:
        data = await self._bucket.read(self.document_key(conversation_id))
        return None if data is None else await asyncio.to_thread(_described, data, conversation_id)

    async def _whole[T](self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)


async def _described_soon(data: bytes, conversation_id: UUID) -> ConversationSummary:
    if len(data) < _LONG_BYTES:
        return _described(data, conversation_id)
    return await asyncio.to_thread(_described, data, conversation_id)


def _described(data: bytes, conversation_id: UUID) -> ConversationSummary:
    try:
        return pagination.summary(document.decode(data, conversation_id))
    except ConversationDamaged:
        return _described_as_damaged(data, conversation_id)


def _described_as_damaged(data: bytes, conversation_id: UUID) -> ConversationSummary:
    try:
        return pagination.summary(document.salvage(data, conversation_id))
    except ConversationDamaged:
        return ConversationSummary(
            id=conversation_id,
            created_at=datetime.fromisoformat("1970-01-01T00:00:00Z"),
            updated_at=datetime.fromisoformat("1970-01-01T00:00:00Z"),
            message_count=0,
            status="damaged",
        )


def _row_of(before: str) -> Row:
    updated_at, conversation_id = pagination.place(before)
    return Row(conversation_id, updated_at)


def _canonical(data: bytes, conversation_id: UUID) -> bytes:
    return document.encode(document.decode(data, conversation_id))
