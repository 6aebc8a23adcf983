"""What is beside a conversation, and goes with it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from idolchat_core.storage.contract import Storage
from idolchat_core.turns.checkpoints import Checkpoints

__all__ = ["forget_turns"]


async def forget_turns(storage: Storage, conversation_ids: Collection[UUID]) -> int:
    """Remove what was kept of unfinished turns in conversations that are deleted, and tell of how many.

    A start after a crash would bring these back. Raises ``StorageUnavailable``.
    """
    checkpoints = Checkpoints(storage)
    left = [turn for turn in await checkpoints.load() if turn.conversation_id in conversation_ids]
    for turn in left:
        checkpoints.drop(turn.turn_id)
    await checkpoints.dropped()
    return len(left)
