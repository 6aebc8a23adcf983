"""Put messages that form a tree into the order of a document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from idolchat_core.models import Message, StoredId

__all__ = ["Placed", "in_order"]


class Placed(NamedTuple):
    """A message, and the one that it follows."""

    message: Message
    parent: StoredId | None


def in_order(placed: Iterable[Placed]) -> Sequence[Message]:
    """Say of each message whom it follows, only where that is not the message before it."""
    result: list[Message] = []
    before: StoredId | None = None
    for message, parent in placed:
        if parent != before:
            message = message.model_copy(update={"parent_id": parent})
        result.append(message)
        before = message.id
    return result
