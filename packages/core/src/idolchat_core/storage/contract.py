"""The contract of a storage back end."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from idolchat_core.errors import ConversationDamaged
from idolchat_core.models import Conversation, ConversationList, Message, Page, StoredId
from idolchat_core.search import SearchResults
from idolchat_core.storage import document, fallbacks, maintenance
from idolchat_core.storage.filters import EVERYTHING, ConversationFilter
from idolchat_core.storage.maintenance import Leftover, Repair, VerificationResult
from idolchat_core.storage.memory_index import MemoryIndex, TextAnalysis
from idolchat_core.storage.record_log import RecordLogs
from idolchat_core.storage.records import Record, record_version
from idolchat_core.storage.stats import StorageStats

__all__ = ["Storage", "check_record_name", "one_shot"]

_IDS_A_PAGE = 1000
one_shot: ContextVar[bool] = ContextVar("used_briefly", default=False)
"""True while a storage is opened for one short task: it may then take what it derived before at its word, and makes
nothing that is missing unless something is written."""

_RECORD_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,127}")


def check_record_name(*names: str) -> None:
    """Raise ``ValueError`` unless these can be names and namespaces of records."""
    for name in names:
        if not _RECORD_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a record: 1 to 128 of a-z 0-9 . _ -, not starting with a dot")


class Storage(ABC):
    """A place where conversations live.

    A factory registered in ``idolchat_register_storages`` takes no arguments and returns an async context manager that
    gives one of these, ready to use, and closes what it opened. Ids and times are made by core: a store
    gives back what it was given, unknown fields included. Every method may raise ``StorageUnavailable``, which never
    means that something is not there. What a method has changed is durable when it returns; a cancelled call has
    either happened or not.
    """

    caution: str | None = None
    """What a server that has this store as its primary cannot rely on, as a sentence; it is logged at the start."""

    is_far: bool = False
    """Whether every write is a request to another machine, so that what may wait is to be written together."""

    is_shared: bool = False
    """Whether several processes may serve it at once; see ``SharedStorage``."""

    @abstractmethod
    async def create(self, conversation: Conversation) -> str:
        """Store a new conversation, with the messages it has, and return its revision (see ``Page.revision``).

        Raises ``ConversationExists``.
        """

    @abstractmethod
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
        """Add messages at the end, all or none, and return the revision that the conversation has then.

        ``head`` is the message that ends the active branch afterwards; without it, the last message does. It is set
        together with the messages, or not at all. No messages change nothing.

        ``expected_count`` is how many messages the caller believes are there, and ``expected_revision``, where it is
        given, the revision. If more messages are there, and those that follow the expected ones are these very
        messages (same order, same content as written by ``document.line``), the call was made before: nothing changes,
        whatever the revision, and None is returned, for others may have changed the conversation since.
        Raises ``StorageConflict`` with the actual count otherwise (``RevisionMismatch`` where the count is right and
        the revision is not), ``ConversationNotFound``, ``ConversationDamaged``, ``InvalidRequest`` for a message that
        cannot be written (see ``document.line``).
        """

    @abstractmethod
    async def update(
        self,
        conversation_id: UUID,
        fields: Mapping[str, Any],
        *,
        expected_count: int,
        expected_revision: str | None = None,
    ) -> str:
        """Set fields of the document other than its ids, times and messages, and return the new revision.

        ``fields`` are JSON values, such as ``{"title": "Spring"}``; the value None removes one. Raises as ``append``
        does, and ``InvalidRequest`` for a field that is not to be set so.
        """

    async def replace_message(self, conversation_id: UUID, message: Message) -> None:
        """Put a message in place of the stored one of the same id, and leave nothing of that one.

        Its bytes are gone when this returns: from the document, from what a repair or a crash has set aside of it, and
        from indexes. All else stays as it is, ``updated_at`` too. A crash leaves the old message or the new one.
        As it stands here all is read and put, which a store does better that others write to meanwhile. Raises
        ``ConversationNotFound``, ``ConversationDamaged``, ``StorageConflict``, ``InvalidRequest`` for an unknown id.
        """
        await fallbacks.replace_message(self, conversation_id, message)

    @abstractmethod
    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        """Read up to ``limit`` messages that stand before position ``before`` (None: the newest), oldest first.

        The cost depends on ``limit``, not on the length of the history. Raises as ``read`` does.
        """

    @abstractmethod
    async def read(self, conversation_id: UUID) -> Conversation:
        """Read all of it; ``status`` is ``damaged`` when only part could be read.

        Raises ``ConversationNotFound``, and ``ConversationDamaged`` when no message could be read.
        """

    async def create_document(self, conversation_id: UUID, data: bytes) -> None:
        """Store a new conversation, as ``read_document`` gave it elsewhere.

        Raises ``ConversationExists``, and as ``put_document`` does.
        """
        await self.create(await asyncio.to_thread(document.decode, data, conversation_id))

    async def read_document(self, conversation_id: UUID) -> bytes:
        """Read all of it as the stored document, UTF-8 JSON.

        Raises ``ConversationNotFound``, and ``ConversationDamaged`` where only part can be read: ``read`` gives that.
        """
        conversation = await self.read(conversation_id)
        if conversation.status == "damaged":
            raise ConversationDamaged(f"conversation {conversation_id} can be read only in part")
        return document.encode(conversation)

    async def read_revised(self, conversation_id: UUID) -> tuple[bytes, str]:
        """Read all of it as ``read_document`` does, with its revision (see ``Page.revision``).

        Where somebody changes the conversation meanwhile, the revision may be the one before, never one that is newer
        than the document. Raises as ``read_document`` does.
        """
        page = await self.read_page(conversation_id, limit=1)
        return await self.read_document(conversation_id), page.revision

    async def read_documents(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, bytes | ConversationDamaged]:
        """Read many as ``read_document`` does each; those that are not there are left out."""
        return await fallbacks.documents_of(self, conversation_ids)

    async def revisions(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Look up the revisions of many (see ``Page.revision``). Gone ones are left out, and damaged ones may be."""
        return await fallbacks.revisions_of(self, conversation_ids)

    def revisions_here(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, str] | None:
        """As ``revisions``, by the thread that calls, off the event loop; None where this storage cannot, as most."""
        return None

    @abstractmethod
    async def list(
        self, matching: ConversationFilter = EVERYTHING, *, limit: int = 20, before: str | None = None
    ) -> ConversationList:
        """List the conversations that match a filter, newest ``updated_at`` first.

        ``before`` is the ``next`` of the page before. Damaged conversations are listed as such. Raises
        ``InvalidRequest`` for a ``before`` that this store did not give.
        """

    async def list_ids(self) -> Collection[UUID]:
        """List the ids of all conversations, damaged ones too, in any order (``id_set`` holds many)."""
        found: list[UUID] = []
        before: str | None = None
        while True:
            page = await self.list(limit=_IDS_A_PAGE, before=before)
            found += [summary.id for summary in page.data]
            before = page.next
            if before is None:
                return found

    async def settle(self) -> None:  # noqa: B027  by default there is nothing to wait for
        """Wait until lists, search and stats can be answered at once, however long that takes.

        Without this they wait for a while and then raise ``StorageUnavailable``, as befits a server.
        """

    async def search(
        self,
        text: str,
        matching: ConversationFilter = EVERYTHING,
        *,
        limit: int = 20,
        before: str | None = None,
    ) -> SearchResults:
        """Find the messages that match a query (see ``idolchat_core.search``), newest ``timestamp`` first.

        The filter's times limit the messages; ``before`` is the ``next`` of the page before. What was written before
        the call is found. This default reads everything at every call.
        Raises ``InvalidRequest`` for a query without a word and a ``before`` that this store did not give.
        """
        return await fallbacks.search_all(self, text, matching, limit=limit, before=before)

    async def stats(self, matching: ConversationFilter = EVERYTHING) -> StorageStats:
        """Count the conversations that match a filter, and what is in them."""
        return await fallbacks.stats_of(self, matching)

    @abstractmethod
    async def find_turn(self, turn_id: UUID) -> UUID | None:
        """Return which conversation holds a message with this ``turn_id``."""

    @abstractmethod
    async def put(self, conversation: Conversation) -> None:
        """Store a whole conversation in place of what is there, if anything is: import, mirror, restore."""

    async def put_document(self, conversation_id: UUID, data: bytes) -> None:
        """Store a whole conversation, as ``read_document`` gave it, in place of what is there, if anything is.

        Raises ``ConversationDamaged`` where that cannot be read, unless the store keeps documents as they are.
        """
        await self.put(await asyncio.to_thread(document.decode, data, conversation_id))

    @abstractmethod
    async def delete(self, conversation_id: UUID, *, expected_revision: str | None = None) -> None:
        """Remove a conversation for good.

        Raises ``ConversationNotFound``, and ``RevisionMismatch`` where it has another revision than the one given.
        """

    async def put_documents(self, documents: Mapping[UUID, bytes]) -> None:
        """Store many conversations as ``put_document`` does each; all are durable when it returns.

        Where one cannot be stored, others may have been.
        """
        await asyncio.gather(*(self.put_document(conversation_id, data) for conversation_id, data in documents.items()))

    async def read_stored(self, conversation_id: UUID) -> bytes:
        """Read the bytes that are stored, whatever they are: to keep them before a damaged document is replaced.

        Raises as ``read_document``; a store that can, gives damaged ones too.
        """
        return await self.read_document(conversation_id)

    def verify(self, conversation_ids: Iterable[UUID] | None = None) -> AsyncGenerator[VerificationResult]:
        """Read these conversations (None: all) from end to end and judge each; nothing is changed.

        One that is gone meanwhile is left out. What others write meanwhile is no flaw.
        """
        return maintenance.verify_by_reading(self, conversation_ids)

    async def repair(self, conversation_id: UUID, *, dry_run: bool = False) -> Repair:
        """Repair what ``verify`` finds in a conversation, after setting its bytes aside; return what was, or would be.

        Raises ``ConversationNotFound``, ``ConversationDamaged`` when no message can be read, ``StorageConflict`` when
        others write to it meanwhile.
        """
        return await maintenance.repair_by_putting(self, conversation_id, dry_run=dry_run)

    async def reindex(self) -> AsyncGenerator[int]:
        """Make anew what is derived from the conversations, and yield how many are done so far.

        Everything else goes on meanwhile. As it stands here, nothing is derived.
        """
        nothing: tuple[int, ...] = ()
        for done in nothing:
            yield done

    def collect_garbage(self, *, older_than: timedelta, dry_run: bool = False) -> AsyncGenerator[Leftover]:
        """Remove, and yield, what nobody needs: what died writers left, and bytes set aside ``older_than`` ago."""
        return maintenance.old_records(self, older_than=older_than, dry_run=dry_run)

    @abstractmethod
    async def check(self) -> None:
        """Return when the store can take a write; else raise ``StorageUnavailable`` that says why."""

    @abstractmethod
    async def get_record(self, namespace: str, name: str) -> bytes | None:
        """Read a small named value that is not a conversation; None if there is none.

        Namespaces and names are 1 to 128 characters of ``a-z 0-9 . _ -``, not starting with a dot; others raise
        ``ValueError``.
        """

    async def read_record(self, namespace: str, name: str) -> Record | None:
        """Read a small named value with its version, which every change of the value changes; None if there is none."""
        value = await self.get_record(namespace, name)
        return None if value is None else Record(value, record_version(value))

    @abstractmethod
    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        """Write a small named value, all or nothing, and return the version that it has then.

        With ``durable`` false it may be lost with the machine's power. Where ``if_version`` is given, it is written
        only in place of the value of this version (``NO_RECORD``: where there is none): of several writers that give
        the same, one succeeds, and the others get a ``StorageConflict``. A writer that gives none replaces what is
        there, and may be replaced by one that compared a moment before.
        """

    @abstractmethod
    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        """Remove a small named value; that there is none is no error, but where another ``if_version`` is given.

        Raises ``StorageConflict`` as ``put_record`` does.
        """

    @abstractmethod
    async def list_records(self, namespace: str, *, after: str = "", limit: int | None = None) -> Sequence[str]:
        """List the names in a namespace that sort after ``after`` by their characters, sorted, ``limit`` at most.

        Whoever pages begins each page after the last name of the one before. What others add or remove meanwhile may
        be listed or not; all else is, once.
        """

    async def list_namespaces(self) -> Sequence[str]:
        """List the namespaces of records and logs, sorted; empty from a store that does not know them."""
        return ()

    def memory_index(self, analysis: TextAnalysis) -> AbstractAsyncContextManager[MemoryIndex] | None:
        """Open an index of memory that lives with what is stored here; None: it is kept in a file of this machine.

        It must pass ``MemoryIndexConformance`` of ``idolchat_core.testing``.
        """
        return None

    def append_log(self, namespace: str, name: str, lines: bytes, *, durable: bool = True) -> Awaitable[None]:
        """Add lines, each with its newline, at the end of a log that is made when it is not there; await the result.

        A store may begin when this is called, so that what is asked for next can share its wait for the disk. With
        ``durable`` false, lines may be lost or cut short with the machine's power, and spoil no others. Names are as
        those of records. As it stands here, logs are made of records.
        """
        check_record_name(namespace, name)
        return self._record_logs.append(namespace, name, lines, durable=durable)

    async def read_log(self, namespace: str, name: str, *, start: int = 0) -> bytes:
        """Read a log from an offset in bytes on; nothing where there is none."""
        check_record_name(namespace, name)
        return await self._record_logs.read(namespace, name, start=start)

    async def list_logs(self, namespace: str) -> Sequence[str]:
        """List the names of the logs in a namespace, sorted."""
        check_record_name(namespace)
        return await self._record_logs.names(namespace)

    @cached_property
    def _record_logs(self) -> RecordLogs:
        return RecordLogs(self)
