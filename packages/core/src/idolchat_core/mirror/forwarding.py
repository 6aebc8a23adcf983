"""A storage that hands everything on to another one: what a mirror does not concern."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from uuid import UUID

from idolchat_core.models import ConversationList
from idolchat_core.search import SearchResults
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.filters import EVERYTHING, ConversationFilter
from idolchat_core.storage.maintenance import Leftover, VerificationResult
from idolchat_core.storage.memory_index import MemoryIndex, TextAnalysis
from idolchat_core.storage.records import Record
from idolchat_core.storage.stats import StorageStats

__all__ = ["Forwarding"]


class Forwarding(Storage):
    """Hands on what asks about many conversations, records and logs; the rest is a subclass's."""

    def __init__(self, primary: Storage) -> None:
        self._primary = primary
        self.caution = primary.caution
        self.is_far = primary.is_far
        self.is_shared = primary.is_shared

    async def revisions(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, str]:
        return await self._primary.revisions(conversation_ids)

    def revisions_here(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, str] | None:
        return self._primary.revisions_here(conversation_ids)

    async def list(
        self, matching: ConversationFilter = EVERYTHING, *, limit: int = 20, before: str | None = None
    ) -> ConversationList:
        return await self._primary.list(matching, limit=limit, before=before)

    async def list_ids(self) -> Collection[UUID]:
        return await self._primary.list_ids()

    async def settle(self) -> None:
        await self._primary.settle()

    async def search(
        self,
        text: str,
        matching: ConversationFilter = EVERYTHING,
        *,
        limit: int = 20,
        before: str | None = None,
    ) -> SearchResults:
        return await self._primary.search(text, matching, limit=limit, before=before)

    async def stats(self, matching: ConversationFilter = EVERYTHING) -> StorageStats:
        return await self._primary.stats(matching)

    def verify(self, conversation_ids: Iterable[UUID] | None = None) -> AsyncGenerator[VerificationResult]:
        return self._primary.verify(conversation_ids)

    def reindex(self) -> AsyncGenerator[int]:
        return self._primary.reindex()

    def collect_garbage(self, *, older_than: timedelta, dry_run: bool = False) -> AsyncGenerator[Leftover]:
        return self._primary.collect_garbage(older_than=older_than, dry_run=dry_run)

    def memory_index(self, analysis: TextAnalysis) -> AbstractAsyncContextManager[MemoryIndex] | None:
        return self._primary.memory_index(analysis)

    async def list_namespaces(self) -> Sequence[str]:
        return await self._primary.list_namespaces()

    async def find_turn(self, turn_id: UUID) -> UUID | None:
        return await self._primary.find_turn(turn_id)

    async def check(self) -> None:
        await self._primary.check()

    async def get_record(self, namespace: str, name: str) -> bytes | None:
        return await self._primary.get_record(namespace, name)

    async def read_record(self, namespace: str, name: str) -> Record | None:
        return await self._primary.read_record(namespace, name)

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        return await self._primary.put_record(namespace, name, value, durable=durable, if_version=if_version)

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        await self._primary.delete_record(namespace, name, if_version=if_version)

    async def list_records(self, namespace: str, *, after: str = "", limit: int | None = None) -> Sequence[str]:
        return await self._primary.list_records(namespace, after=after, limit=limit)

    def append_log(self, namespace: str, name: str, lines: bytes, *, durable: bool = True) -> Awaitable[None]:
        return self._primary.append_log(namespace, name, lines, durable=durable)

    async def read_log(self, namespace: str, name: str, *, start: int = 0) -> bytes:
        return await self._primary.read_log(namespace, name, start=start)

    async def list_logs(self, namespace: str) -> Sequence[str]:
        return await self._primary.list_logs(namespace)
