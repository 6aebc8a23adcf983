"""Encoding in the background: messages get their vectors after they are indexed, off the path of any turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from idolchat_core import MemoryIndex, Unencoded
from idolchat_memory.semantic.encoder import ENCODING
from idolchat_memory.semantic.late_interaction import LateInteraction

__all__ = ["ENCODING", "encode_waiting"]

_BATCH = 16


async def encode_waiting(index: MemoryIndex, late_interaction: LateInteraction, *, limit: int | None = None) -> int:
    """Encode the messages that have no vectors yet, at most ``limit``; give how many. Raises ``StorageUnavailable``.

    What is encoded is kept in small batches, so that little is done again after a stop.
    """
    encoder, done = late_interaction.encoder, 0
    while limit is None or done < limit:
        batch = _BATCH if limit is None else min(_BATCH, limit - done)
        waiting = await index.unencoded(encoder.name, limit=batch)
        if not waiting:
            break
        await index.put_vectors(encoder.name, await asyncio.to_thread(_encode, late_interaction, waiting))
        done += len(waiting)
        if len(waiting) < batch:
            break
    return done


def _encode(late_interaction: LateInteraction, waiting: Sequence[Unencoded]) -> list[tuple[Unencoded, bytes]]:
    encoder = late_interaction.encoder
    return [(one, encoder.encode_message(one.text, one.text_before, one.speaker)) for one in waiting]
