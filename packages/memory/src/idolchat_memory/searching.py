"""Searching the memory of a user: in which scopes, and nothing that is not stored any more."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from idolchat_core import ConversationDamaged, ConversationNotFound, MemoryScope, Storage
from idolchat_memory.choices import MemoryChoice
from idolchat_memory.feed.memories import memory_text
from idolchat_memory.feed.observer import indexed_revision
from idolchat_memory.groups import members_of, scope_of
from idolchat_memory.recall import Recalled, RecallQuery, RecallResult
from idolchat_memory.service import Memory

__all__ = ["MAX_OTHER_SCOPES", "are_stored", "as_said", "changed_since", "indexed_revisions", "scopes_for", "search"]

MAX_OTHER_SCOPES = 8
"""So many other characters' scopes are searched where a user has chosen that, those last used."""


async def scopes_for(memory: Memory, scope: MemoryScope, choice: MemoryChoice) -> Sequence[MemoryScope]:
    """List the scopes that a user's character may recall from, her own first. Raises ``StorageUnavailable``."""
    if not choice.cross_character:
        return (scope, *await memory.groups.of(scope))
    others = await memory.index.scopes_of(scope.user_id, limit=MAX_OTHER_SCOPES + 1)
    return (scope, *[other for other in others if other != scope][:MAX_OTHER_SCOPES])


async def search(
    memory: Memory, scopes: Sequence[MemoryScope], query: RecallQuery, *, asking: MemoryScope
) -> RecallResult:
    """Find what answers a query, and leave out what has been deleted since it was indexed.

    Raises ``StorageUnavailable``.
    """
    result = await memory.recall.search(scopes, query)
    changed = await changed_since(memory.storage, indexed_revisions(result.items))
    stored = await are_stored(memory.storage, result.items, changed)
    items = [as_said(item, asking) for item, is_stored in zip(result.items, stored, strict=True) if is_stored]
    return result._replace(items=items)


def as_said(item: Recalled, asking: MemoryScope) -> Recalled:
    """Return what was said among several as the words of who said them, or as said to who asks."""
    members = members_of(item.scope)
    if not members:
        return item
    message = item.row.message
    to = asking.character_id if asking.character_id in members else members[0]
    character_id = message.speaker if message.role == "assistant" and message.speaker in members else to
    scope = item.scope.model_copy(update={"character_id": character_id})
    return item._replace(scope=scope, row=item.row._replace(message=message._replace(speaker="")))


def indexed_revisions(items: Sequence[Recalled]) -> Mapping[UUID, str]:
    """Return at which revision of the storage the conversations of some items were indexed."""
    return {item.row.conversation_id: indexed_revision(item.row.revision) for item in items}


async def changed_since(
    storage: Storage, indexed: Mapping[UUID, str], *, agreed: UUID | None = None
) -> Collection[UUID]:
    """Return which conversations may not be stored as they were indexed any more, given ``indexed_revisions``.

    One that is ``agreed`` to be is not asked for. Raises ``StorageUnavailable``.
    """
    asked = [one for one in indexed if one != agreed]
    revisions = await storage.revisions(asked) if asked else {}
    return {one for one in asked if revisions.get(one) != indexed[one]}


async def are_stored(storage: Storage, items: Sequence[Recalled], changed: Collection[UUID]) -> Sequence[bool]:
    """Return of each item whether it is stored as it was indexed; only of conversations that changed is any read.

    Raises ``StorageUnavailable``.
    """
    doubtful = [item for item in items if item.row.conversation_id in changed]
    stored = await asyncio.gather(*(_is_stored(storage, item) for item in doubtful))
    gone = {id(item) for item, is_stored in zip(doubtful, stored, strict=True) if not is_stored}
    return [id(item) not in gone for item in items]


async def _is_stored(storage: Storage, item: Recalled) -> bool:
    """Whether a message is what it was: this very text, of this very user and character."""
    message = item.row.message
    try:
        page = await storage.read_page(item.row.conversation_id, limit=1, before=message.position + 1)
    except (ConversationNotFound, ConversationDamaged):
        return False
    if page.start != message.position or scope_of(page.conversation) != item.scope:
        return False
    [stored] = page.conversation.messages
    return str(stored.id) == message.message_id and memory_text(stored) == message.text
