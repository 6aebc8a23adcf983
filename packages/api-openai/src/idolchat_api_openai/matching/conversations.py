"""Which conversation a request belongs to: the one that it names, else the one whose history it sends again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from idolchat_api_openai.matching.alignment import Alignment, align, is_begun, is_told, telling_replies
from idolchat_api_openai.matching.index import ReplyIndex
from idolchat_api_openai.matching.reserved import Reserved
from idolchat_api_openai.matching.searching import search_replies
from idolchat_api_openai.matching.tree import Tree
from idolchat_api_openai.matching.trees import Trees
from idolchat_api_openai.requests.said import Said
from idolchat_core import (
    ConversationDamaged,
    ConversationFilter,
    ConversationNotFound,
    Storage,
    StorageUnavailable,
    utc_now,
)

__all__ = ["Conversations", "Found", "Whose"]

log = logging.getLogger(__name__)

MAX_RECENT, MAX_PAIRS = 8, 10_000
"""Conversations remembered of each user and character, and pairs of those."""
MAX_FOUND = 4
REPEATED_WITHIN_S = 600.0
"""How long the very first message of a conversation may be sent again and still be a wish for another reply."""


class _Used(NamedTuple):
    conversation_id: UUID
    ago_s: float


@dataclass(frozen=True, slots=True)
class Whose:
    """The user and the character of a conversation."""

    user_id: UUID | None
    character_id: UUID

    def has(self, tree: Tree) -> bool:
        """Return whether a conversation is theirs."""
        return tree.user_id == self.user_id and tree.character_id == self.character_id


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation, and how much of the history is in it. One without ``tree`` is to begin with the id."""

    conversation_id: UUID | None
    tree: Tree | None
    alignment: Alignment


class Conversations:
    """Finds conversations, within those of one user and one character.

    Without an index, where several servers share the storage, they ask that alone.
    """

    def __init__(self, storage: Storage, index: ReplyIndex | None) -> None:
        self.trees = Trees(storage)
        self._storage = storage
        self._index = index
        self._recent: OrderedDict[Whose, OrderedDict[UUID, float]] = OrderedDict()
        self._locks: dict[object, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def locked(self, key: object) -> AsyncGenerator[None]:
        """Admit one request at a time to a conversation, until its turn has begun there."""
        lock, count = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, count + 1
        try:
            async with lock:
                yield
        finally:
            lock, count = self._locks.pop(key)
            if count > 1:
                self._locks[key] = lock, count - 1

    def note(self, whose: Whose, conversation_id: UUID) -> None:
        """Remember that a conversation was used."""
        recent = self._recent.setdefault(whose, OrderedDict())
        recent[conversation_id] = time.monotonic()
        recent.move_to_end(conversation_id)
        if len(recent) > MAX_RECENT:
            recent.popitem(last=False)
        self._recent.move_to_end(whose)
        if len(self._recent) > MAX_PAIRS:
            self._recent.popitem(last=False)

    async def named(
        self, whose: Whose, derived: UUID, name: str, said: Sequence[Said], *, is_whole: bool = False
    ) -> Found:
        """Find the conversation that a client's id names: ``derived`` follows from it, or one of ours is meant.

        One that began without an id is taken up where the history of this one is all of it, and remembered.
        """
        tree = await self.trees.get(derived)
        if tree is None:
            tree = await self._ours(whose, name) or await self._alias(whose, derived)
        if tree is None and (found := await self.recognised(whose, said)) is not None:
            tree = await self._taken_up(whose, derived, found)
        if tree is None:
            return Found(derived, None, Alignment(-1, 0))
        return Found(tree.id, tree, align(tree, said, is_whole=is_whole))

    async def ours(self, whose: Whose, conversation_id: UUID, said: Sequence[Said]) -> Found:
        """Find a conversation by our own id, also one of which nothing is there but that it is to begin.

        Raises ``ConversationNotFound``, also for one of another user or character.
        """
        tree = await self.trees.get(conversation_id)
        if tree is not None and whose.has(tree):
            return Found(tree.id, tree, align(tree, said))
        if tree is None and await Reserved(self._storage).belongs_to(conversation_id, whose.user_id):
            return Found(conversation_id, None, Alignment(-1, 0))
        raise ConversationNotFound(f"no conversation {conversation_id} with this user and character")

    async def _ours(self, whose: Whose, name: str) -> Tree | None:
        try:
            ours = UUID(name.removeprefix("conv_"))
        except ValueError:
            return None
        return await self._theirs(whose, ours)

    async def _theirs(self, whose: Whose, conversation_id: UUID) -> Tree | None:
        try:
            tree = await self.trees.get(conversation_id)
        except ConversationDamaged:
            return None
        return tree if tree is not None and whose.has(tree) else None

    async def _alias(self, whose: Whose, derived: UUID) -> Tree | None:
        meant = await Reserved(self._storage).meant(derived)
        return await self._theirs(whose, meant) if meant is not None else None

    async def _taken_up(self, whose: Whose, derived: UUID, found: Found) -> Tree | None:
        tree = found.tree
        if tree is None or tree.id.version != 7 or found.alignment.position != tree.head_position:
            return None
        await Reserved(self._storage).put(derived, whose.user_id, meaning=tree.id)
        return tree

    async def recognised(
        self, whose: Whose, said: Sequence[Said], *, is_new: bool = False, is_retry: bool = False
    ) -> Found | None:
        """Find the conversation that a history is of; None for one that nothing tells from others.

        ``is_new`` says that the client is known to ask for no second reply, and ``is_retry`` that it asks for the first
        one again, which may have begun though it was not told so.
        """
        replies = telling_replies(said)
        texts = [reply.text for reply in replies]
        used = await self._used(whose, said)
        recent = [one.conversation_id for one in used]
        best = await self._best(whose, said, texts, recent)
        if best is not None and best.alignment.count >= len(said) - 1:
            return best
        if best is None and recent:
            best = await self._stopped(whose, said, recent)
        elsewhere = await self._replied(whose, replies)
        further = await self._best(whose, said, texts, [one for one in elsewhere if one not in recent])
        if further is not None and (best is None or further.alignment.count > best.alignment.count):
            return further
        return best or (None if is_new and not is_retry else await self._repeated(whose, said, used))

    async def _replied(self, whose: Whose, replies: Sequence[Said]) -> Sequence[UUID]:
        """Return conversations in which such replies stand, as far as that is known."""
        if self._index is not None:
            texts = [reply.text for reply in replies]
            return await self._index.find(whose.user_id, whose.character_id, texts, limit=MAX_FOUND)
        return await search_replies(self._storage, whose.user_id, whose.character_id, replies, limit=MAX_FOUND)

    async def _used(self, whose: Whose, said: Sequence[Said]) -> Sequence[_Used]:
        """Return the conversations that were used last, the newest first.

        After a start, and where other servers use them too, they are those that the storage names.
        """
        known, now = self._recent.get(whose), time.monotonic()
        mine = [_Used(one, now - used_at) for one, used_at in reversed((known or {}).items())]
        has_reply = any(message.role == "assistant" for message in said[1:])
        if self._index is not None and (known is not None or not has_reply):
            return mine
        theirs = ConversationFilter(user_id=whose.user_id, character_id=whose.character_id)
        try:
            listed = await self._storage.list(theirs, limit=MAX_RECENT)
        except StorageUnavailable as error:  # its lists are being made anew; the index knows most
            log.warning("the newest conversations cannot be listed yet", extra={"code": error.code})
            return mine
        today = utc_now()
        return [_Used(summary.id, (today - summary.updated_at).total_seconds()) for summary in listed.data]

    async def _best(
        self, whose: Whose, said: Sequence[Said], texts: Sequence[str], candidates: Sequence[UUID]
    ) -> Found | None:
        best: Found | None = None
        if not any(message.role == "assistant" for message in said[1:]):
            return None  # a greeting tells nothing
        for conversation_id in candidates:
            tree = await self._theirs(whose, conversation_id)
            if tree is None:
                continue
            alignment = align(tree, said)
            if not (is_told(tree, texts) or (alignment.is_from_root and alignment.has_reply(tree))):
                continue
            if best is None or alignment.count > best.alignment.count:
                best = Found(conversation_id, tree, alignment)
            if alignment.count >= len(said) - 1:
                break
        return best

    async def _stopped(self, whose: Whose, said: Sequence[Said], recent: Sequence[UUID]) -> Found | None:
        """Find a conversation whose only reply was stopped by its client, which has no more than its beginning."""
        for conversation_id in recent:
            tree = await self._theirs(whose, conversation_id)
            if tree is not None and is_begun(tree, said):
                return Found(conversation_id, tree, align(tree, said))
        return None

    async def _repeated(self, whose: Whose, said: Sequence[Said], used: Sequence[_Used]) -> Found | None:
        """Find the newest conversation where it holds what is sent, and nothing but replies to that.

        The first message has been sent again for another reply, as nobody sends one twice within minutes.
        """
        if not used or used[0].ago_s > REPEATED_WITHIN_S:
            return None
        tree = await self._theirs(whose, used[0].conversation_id)
        if tree is None or not said or said[-1].role != "user":
            return None
        alignment = align(tree, said)
        if alignment.count < len(said) or not alignment.is_from_root:
            return None
        replies = list(tree.following(alignment.position))
        if any(reply.role != "assistant" or reply.children for reply in replies):
            return None
        return Found(tree.id, tree, alignment)
