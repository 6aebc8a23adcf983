"""What nobody needs any more, in a storage and of the turns that it keeps."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

from pydantic import ValidationError

from idolchat_core.coordination.checkpoints import NAMESPACE, turns_in
from idolchat_core.coordination.contract import UnfinishedTurn
from idolchat_core.errors import ConversationDamaged, ConversationNotFound
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.maintenance import Leftover

__all__ = ["collect_garbage"]


async def collect_garbage(
    storage: Storage, *, older_than: timedelta, dry_run: bool = False
) -> AsyncGenerator[Leftover]:
    """Remove, and yield, what the storage finds, and checkpoints of turns whose conversation is gone."""
    async for leftover in storage.collect_garbage(older_than=older_than, dry_run=dry_run):
        yield leftover
    for name in await storage.list_records(NAMESPACE):
        value = await storage.get_record(NAMESPACE, name)
        if value is not None and await _is_orphaned(storage, name, value):
            if not dry_run:
                await storage.delete_record(NAMESPACE, name)
            yield Leftover(kind="checkpoint", place=f"record {NAMESPACE}/{name}", size_bytes=len(value))


async def _is_orphaned(storage: Storage, name: str, value: bytes) -> bool:
    """Return whether all turns of a record answer messages of conversations that are gone.

    One that waits would still make its conversation.
    """
    try:
        return all([await _is_gone(storage, turn) for turn, _ in turns_in(name, value)])
    except ValidationError:
        return False


async def _is_gone(storage: Storage, turn: UnfinishedTurn) -> bool:
    if turn.messages:
        return False
    try:
        await storage.read_page(turn.conversation_id, limit=1)
    except ConversationNotFound:
        return True
    except ConversationDamaged:
        return False
    return False
