"""The change observer of memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol
from uuid import UUID
from weakref import WeakValueDictionary

from idolchat_core import (
    Change,
    ChangeKind,
    ChangeObserver,
    ConversationDamaged,
    ConversationNotFound,
    KnownConversation,
    MemoryIndex,
    MemoryScope,
    Services,
    Storage,
    StorageUnavailable,
    utc_now,
)
from idolchat_memory.agreement import Agreement
from idolchat_memory.feed.memories import (
    Numbered,
    active_branch,
    all_memories,
    branch_end,
    first_of,
    memories_of,
    memory_text,
)
from idolchat_memory.groups import scope_of
from idolchat_memory.service import Memory, memory_of

__all__ = ["MemoryFeed", "indexed_revision", "open_feed"]

log = logging.getLogger(__name__)

PAGE_SIZES = (4, 64)
"""Messages that are read to find where a branch goes on: mostly a turn has added two."""
RETRY_S = 30.0
_GOES_ON = frozenset(
    {ChangeKind.STORED, ChangeKind.EDITED, ChangeKind.REGENERATED, ChangeKind.ROLLED_BACK, ChangeKind.HEAD_MOVED}
)
"""Kinds of changes that leave what stands before the end of the active branch as it was."""
_UNKNOWN = ""
"""Stands for the revision of a conversation that was never indexed, and on which something else rests."""
_INDEXED, _OF_NOBODY, _LEFT_OUT = "+", "*", "-"
"""What a revision begins with in the index: the messages are a user's, nobody's, or nobody's and were left out."""


def indexed_revision(noted: str) -> str:
    """Return the storage's revision that one in the index stands for."""
    return noted[1:]


class Follower(Protocol):
    """Something else that rests on conversations, and acts on their changes before the index does."""

    async def follow(self, change: Change) -> None:
        """Act on a change. It is told again where this raises."""

    async def rests_on(self, conversation_id: UUID) -> bool:
        """Return whether anything rests on a conversation, which may be gone."""

    async def known(self) -> Collection[UUID]:
        """List the conversations that something rests on."""


class MemoryFeed(ChangeObserver):
    """Keeps in the index what the active branches hold."""

    def __init__(
        self,
        index: MemoryIndex,
        storage: Storage,
        *,
        anonymous: bool,
        indexed: Callable[[], None] = lambda: None,
        changed: Callable[[MemoryScope], None] = lambda scope: None,
        followers: Sequence[Follower] = (),
        agreement: Agreement | None = None,
        is_shared: bool = False,
    ) -> None:
        self.is_shared = is_shared
        self._index = index
        self._storage = storage
        self._anonymous = anonymous
        self._indexed = indexed
        self._changed = changed
        self._followers = followers
        self._agreement = agreement or Agreement()
        self._opened_at = utc_now()
        self._noting: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def noted(self, conversation_id: UUID) -> str | None:
        known = await self._index.known(conversation_id)
        if known is not None:
            return indexed_revision(known.revision) if self._is_right(known) else None
        rests = [await one.rests_on(conversation_id) for one in self._followers]
        return _UNKNOWN if any(rests) else None

    async def known(self) -> Collection[UUID]:
        known = set(await self._index.conversations())
        return known.union(*[await one.known() for one in self._followers])

    async def note(self, change: Change) -> None:
        async with self._lock(change.conversation_id):
            await self._note(change)

    def _lock(self, conversation_id: UUID) -> asyncio.Lock:
        return self._noting.setdefault(conversation_id, asyncio.Lock())

    async def _note(self, change: Change) -> None:
        since = time.monotonic()
        for one in self._followers:  # before the revision is noted, so that none is missed
            await one.follow(change)
        if change.revision is None:
            await self._index.delete_conversation(change.conversation_id)
            return
        if not (_GOES_ON.issuperset(change.kinds) and await self._go_on(change.conversation_id, change.revision)):
            await self.index(change.conversation_id, change.revision)
        self._agreement.indexed(change.conversation_id, since=since)
        self._indexed()

    async def index(self, conversation_id: UUID, revision: str) -> None:
        """Index the whole of a conversation. Raises ``StorageError``."""
        try:
            conversation = await self._storage.read(conversation_id)
        except ConversationNotFound:
            await self._index.delete_conversation(conversation_id)
            return
        scope = scope_of(conversation)
        messages = await asyncio.to_thread(all_memories, conversation) if self._remembers(scope) else []
        await self._index.replace(scope, conversation_id, messages, revision=self._marked(scope, revision))
        self._changed(scope)

    async def bring(self, conversation_id: UUID) -> None:
        """Index a conversation until it is as it is stored, for another may change it meanwhile; not a damaged one.

        Raises ``StorageUnavailable``.
        """
        with suppress(ConversationNotFound, ConversationDamaged):
            while True:
                page = await self._storage.read_page(conversation_id, limit=1)
                if page.conversation.status == "damaged" or await self.noted(conversation_id) == page.revision:
                    return
                await self.index(conversation_id, page.revision)
                self._indexed()

    async def catch_up(self) -> None:
        """Index what no change tells of: all, where the index is new; nobody's conversations, where that was switched.

        What is said from this start on is told of by its changes. Raises ``StorageUnavailable``.
        """
        indexed = await self._index.conversations()
        wrong = _LEFT_OUT if self._anonymous else _OF_NOBODY
        for conversation_id in await self._storage.list_ids():
            if indexed.get(conversation_id, wrong).startswith(wrong):
                async with self._lock(conversation_id):
                    await self._note_unknown(conversation_id)

    async def _note_unknown(self, conversation_id: UUID) -> None:
        known = await self._index.known(conversation_id)
        if known is not None and self._is_right(known):  # a change has told of it since
            return
        with suppress(ConversationNotFound, ConversationDamaged):
            page = await self._storage.read_page(conversation_id, limit=1)
            conversation = page.conversation
            if conversation.status != "damaged" and conversation.updated_at < self._opened_at:
                kinds = (ChangeKind.CHANGED,)
                await self._note(Change(conversation_id=conversation_id, revision=page.revision, kinds=kinds))

    async def _go_on(self, conversation_id: UUID, revision: str) -> bool:
        """Index what the active branch has beyond what is known, at a cost that does not grow with it."""
        known = await self._index.known(conversation_id)
        if known is None or not self._is_right(known):
            return False
        if not self._remembers(known.scope):  # which nothing changes; its revision may stay that of before
            return True
        if known.last_message_id is None:
            return False
        for size in PAGE_SIZES:
            try:
                page = await self._storage.read_page(conversation_id, limit=size)
            except ConversationNotFound:
                return False
            if scope_of(page.conversation) != known.scope:
                return False
            branch = active_branch(page)
            start = _where_it_goes_on(branch, branch_end(page, known.last_message_id))
            if start is not None:
                messages = list(memories_of(branch[start + 1 :], first=first_of(page.conversation), goes_on=True))
                marked = self._marked(known.scope, revision)
                after = str(branch[start].message.id)
                return await self._index.extend(conversation_id, messages, after=after, revision=marked)
        return False

    def _remembers(self, scope: MemoryScope) -> bool:
        return self._anonymous or scope.user_id is not None

    def _marked(self, scope: MemoryScope, revision: str) -> str:
        return self._mark(scope) + revision

    def _is_right(self, known: KnownConversation) -> bool:
        """Whether the messages are indexed if, and only if, the settings want that now."""
        return known.revision.startswith(self._mark(known.scope))

    def _mark(self, scope: MemoryScope) -> str:
        if scope.user_id is not None:
            return _INDEXED
        return _OF_NOBODY if self._anonymous else _LEFT_OUT


def _where_it_goes_on(branch: list[Numbered], known: list[Numbered] | None) -> int | None:
    """Find the last memory of a branch that is on the known one, too."""
    common = {one.position for one in known or ()}
    for at in reversed(range(len(branch))):
        if branch[at].position in common and memory_text(branch[at].message):
            return at
    return None


@asynccontextmanager
async def open_feed(services: Services, *followers: Follower) -> AsyncGenerator[ChangeObserver]:
    """Open the observer, and encode in the background what it has indexed.

    ``followers`` act on each change before it is indexed; one that raises is told again.
    """
    async with memory_of(services.storage) as memory:
        waiting = asyncio.Event()
        waiting.set()
        feed = MemoryFeed(
            memory.index,
            services.storage,
            anonymous=memory.settings.anonymous,
            indexed=waiting.set,
            changed=memory.groups.changed,
            followers=followers,
            agreement=memory.agreement,
            is_shared=memory.is_shared,
        )
        tasks = [asyncio.create_task(_catch_up(feed)), asyncio.create_task(_encode(memory, waiting))]
        try:
            yield feed
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _catch_up(feed: MemoryFeed) -> None:
    while True:
        try:
            await feed.catch_up()
        except StorageUnavailable as error:
            log.info("what is not indexed cannot be looked for now", extra={"code": error.code})
            await asyncio.sleep(RETRY_S)
        else:
            return


async def _encode(memory: Memory, waiting: asyncio.Event) -> None:
    """Make vectors of what is indexed, off the event loop, for as long as there is a model."""
    if memory.model is None:
        return
    from idolchat_memory.semantic.encoding import ENCODING, encode_waiting  # noqa: PLC0415 - needs the extra

    while True:
        await waiting.wait()
        waiting.clear()
        try:
            late_interaction = memory.model.loaded
            if late_interaction is None:  # which takes a while, and what there is may be encoded
                if not await memory.index.unencoded(ENCODING, limit=1):
                    continue
                late_interaction = await memory.model.load()
            if late_interaction is None:
                return
            await encode_waiting(memory.index, late_interaction)
        except Exception:  # whatever it is, what is said later is to be encoded
            log.exception("messages could not be encoded, and are tried again")
            waiting.set()
            await asyncio.sleep(RETRY_S)
