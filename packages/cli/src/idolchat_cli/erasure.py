"""Erase a user: everywhere, and say what was done and what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from pydantic import Field

from idolchat_cli.conversations.filters import Filters
from idolchat_cli.opening import Opened
from idolchat_cli.progress import progress
from idolchat_cli.results import Result
from idolchat_core.choice import choose_storages
from idolchat_core.conversations.user_data import forget_turns, is_about, lines_about, records_about
from idolchat_core.errors import ConversationNotFound, IdolchatError, StorageError
from idolchat_core.mirror import MirroredStorage, record_keys
from idolchat_core.models import utc_now
from idolchat_core.storage.changes import ChangeKind, changing

__all__ = ["Erasure", "Receipt"]

MIRRORS_S = 60.0
"""How long mirrors may take; what they have not done then is queued."""
ROUNDS = 3
"""A user who is talking makes new messages meanwhile."""


class ErasedRecord(Result):
    """A record about the user."""

    namespace: str
    name: str


class ErasedByPlugin(Result):
    """How many things a plugin held about the user."""

    plugin: str
    count: int


class Kept(Result):
    """What is not erased, on purpose."""

    namespace: str
    lines: int
    reason: str


class Left(Result):
    """What could not be erased yet."""

    storage: str
    what: str
    reason: str
    queued: bool = Field(description="a running server does it as soon as it can")


class Receipt(Result):
    """What was erased, where and when; with ``dry_run``, what would be."""

    user_id: str
    at: datetime
    storages: list[str] = Field(description="the primary, then its mirrors")
    conversations: list[UUID]
    records: list[ErasedRecord]
    plugins: list[ErasedByPlugin] = Field(description="what plugins hold beside the storage; not looked at before")
    kept: list[Kept]
    left: list[Left]
    dry_run: bool

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left."""
        return not self.left


class Erasure:
    """Looks for what is held about a user, and erases it."""

    def __init__(self, opened: Opened, user: str) -> None:
        self._opened = opened
        self._user = user
        self._primary, *self._mirrors = choose_storages(opened.settings, opened.plugins)

    async def look(self) -> Receipt:
        """Return what there is, in the primary and in every mirror that can be reached."""
        storage = self._opened.storage
        found = dict.fromkeys(await Filters(user=self._user).choose(storage))
        records = [ErasedRecord(namespace=r.namespace, name=r.name) async for r in records_about(storage, self._user)]
        left: list[Left] = []
        for mirror in self._mirrors:
            try:
                ids, only_there = await self._in_mirror(mirror)
                found |= dict.fromkeys(ids)
                records += only_there
            except (IdolchatError, TimeoutError) as error:
                left.append(self._unreached(mirror, error))
        return self._receipt(found, records, left, kept=await self._kept(), dry_run=True)

    async def erase(self, found: Receipt) -> Receipt:
        """Erase it, and look again until nothing new is found."""
        ids, records = dict.fromkeys(found.conversations), list(found.records)
        failed: dict[UUID, StorageError] = {}
        now = found
        with progress("Erasing", total=len(ids), unit="conversations") as erasing:
            for _ in range(ROUNDS):
                for conversation_id in now.conversations:
                    await self._delete(conversation_id, failed)
                    erasing.advance()
                for record in now.records:
                    await self._opened.storage.delete_record(record.namespace, record.name)
                await self._reach_mirrors()
                now = await self.look()
                if not (now.conversations or now.records):
                    break
                ids |= dict.fromkeys(now.conversations)
                records += [record for record in now.records if record not in records]
        await forget_turns(self._opened.storage, ids)
        erased, refused = await self._of_plugins()
        left = [*now.left, *(self._failed(conversation_id, error) for conversation_id, error in failed.items())]
        left += refused
        left += [self._queued(f"conversation {one}") for one in now.conversations if one not in failed]
        left += [self._queued(f"record {one.namespace}/{one.name}") for one in now.records]
        gone = [one for one in ids if one not in failed and one not in now.conversations]
        return self._receipt(gone, records, left, kept=now.kept, erased=erased, dry_run=False)

    async def _delete(self, conversation_id: UUID, failed: dict[UUID, StorageError]) -> None:
        try:
            with suppress(ConversationNotFound), changing(ChangeKind.USER_ERASED):
                await self._opened.storage.delete(conversation_id)
            failed.pop(conversation_id, None)
        except StorageError as error:
            failed[conversation_id] = error

    async def _of_plugins(self) -> tuple[list[ErasedByPlugin], list[Left]]:
        """Erase what every plugin holds; where one fails, the others go on."""
        erased: list[ErasedByPlugin] = []
        left: list[Left] = []
        registry = self._opened.plugins.user_data
        for name in registry:
            try:
                async with registry.get(name)(self._opened.storage) as held:
                    erased.append(ErasedByPlugin(plugin=name, count=await held.erase(self._user)))
            except Exception as error:  # noqa: BLE001  whatever a plugin raises stands in the receipt
                left.append(Left(storage=name, what="what the plugin holds", reason=repr(error), queued=False))
        return erased, left

    async def _reach_mirrors(self) -> None:
        if isinstance(self._opened.storage, MirroredStorage):
            with suppress(TimeoutError):
                async with asyncio.timeout(MIRRORS_S):
                    await self._opened.storage.has_copied()

    async def _in_mirror(self, mirror: str) -> tuple[Collection[UUID], list[ErasedRecord]]:
        """Find the user's conversations in a mirror, and records that only it has."""
        namespaces = list(self._opened.plugins.mirrored_records)
        async with asyncio.timeout(MIRRORS_S), self._opened.plugins.storages.get(mirror)() as storage:
            ids = await Filters(user=self._user).choose(storage)
            keys = await record_keys(storage, namespaces) - await record_keys(self._opened.storage, namespaces)
            values = {key: await storage.get_record(*key) for key in sorted(keys)}
        about = [key for key, value in values.items() if value is not None and is_about(value, self._user)]
        return ids, [ErasedRecord(namespace=key.namespace, name=key.name) for key in about]

    async def _kept(self) -> list[Kept]:
        counts: dict[str, int] = {}
        async for log in lines_about(self._opened.storage, self._user):
            counts[log.namespace] = counts.get(log.namespace, 0) + len(log.lines)
        reason = "accounts are only ever added to; they hold ids, models and costs, and no text"
        return [Kept(namespace=name, lines=lines, reason=reason) for name, lines in counts.items()]

    def _unreached(self, mirror: str, error: Exception) -> Left:
        reason = str(error) or f"no answer within {MIRRORS_S:.0f} seconds"
        return Left(storage=mirror, what="all that the primary had", reason=reason, queued=True)

    def _queued(self, what: str) -> Left:
        return Left(
            storage=", ".join(self._mirrors) or self._primary,
            what=what,
            reason="it was not deleted in time, or was written again meanwhile",
            queued=bool(self._mirrors),
        )

    def _failed(self, conversation_id: UUID, error: StorageError) -> Left:
        return Left(storage=self._primary, what=f"conversation {conversation_id}", reason=str(error), queued=False)

    def _receipt(
        self,
        ids: Collection[UUID],
        records: list[ErasedRecord],
        left: list[Left],
        *,
        kept: list[Kept],
        erased: Sequence[ErasedByPlugin] = (),
        dry_run: bool,
    ) -> Receipt:
        return Receipt(
            user_id=self._user,
            at=utc_now(),
            storages=[self._primary, *self._mirrors],
            conversations=list(ids),
            records=records,
            plugins=list(erased),
            kept=kept,
            left=left,
            dry_run=dry_run,
        )
