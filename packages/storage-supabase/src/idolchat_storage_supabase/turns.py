"""Which conversation a turn is in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from idolchat_core.models import Conversation, Message

__all__ = ["TurnMap", "holds_turn", "made_at"]

MAX_REMEMBERED = 20_000
_CLOCKS_DIFFER_BY = timedelta(minutes=2)
_UUID7 = 7


class TurnMap:
    """Remembers the turns that were seen last."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, UUID] = OrderedDict()

    def note(self, conversation_id: UUID, messages: Iterable[Message]) -> None:
        """Remember the turns of these messages."""
        for message in messages:
            if isinstance(message.turn_id, UUID):
                self._known[message.turn_id] = conversation_id
                self._known.move_to_end(message.turn_id)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def get(self, turn_id: UUID) -> UUID | None:
        """Tell where a turn was seen last."""
        return self._known.get(turn_id)


def holds_turn(conversation: Conversation, turn_id: UUID) -> bool:
    """Tell whether a message of a conversation has this turn."""
    return any(message.turn_id == turn_id for message in conversation.messages)


def made_at(turn_id: UUID) -> datetime:
    """Tell since when something of a turn may have been written: a UUIDv7 tells when it was made (RFC 9562)."""
    if turn_id.version != _UUID7:
        return datetime.fromtimestamp(0, UTC)
    return datetime.fromtimestamp((turn_id.int >> 80) / 1000, UTC) - _CLOCKS_DIFFER_BY
