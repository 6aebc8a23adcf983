"""Which conversation a turn is in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from idolchat_core import Conversation, Message

__all__ = ["CLOCKS_DIFFER_BY", "TurnMap", "holds_turn", "likely_first", "made_at"]

MAX_REMEMBERED = 20_000
CLOCKS_DIFFER_BY = timedelta(minutes=2)
"""At most, between this machine, the one that made a turn, and the database."""
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
        """Return where a turn was seen last."""
        return self._known.get(turn_id)


def holds_turn(conversation: Conversation, turn_id: UUID) -> bool:
    """Return whether a message of a conversation has this turn."""
    return any(message.turn_id == turn_id for message in conversation.messages)


def made_at(turn_id: UUID) -> datetime:
    """Return when a turn was made, by its id (UUIDv7, RFC 9562); for other ids, the earliest time."""
    if turn_id.version != _UUID7:
        return datetime.fromtimestamp(0, UTC)
    return datetime.fromtimestamp((turn_id.int >> 80) / 1000, UTC)


def likely_first(written: Sequence[tuple[UUID, datetime]], made: datetime) -> list[UUID]:
    """Order conversations by how likely they hold a turn: its own write was made next to it, or the newest was.

    Those written closest to when it was made and those written last take turns.
    """
    closest = sorted(written, key=lambda one: abs(one[1] - made))
    newest = sorted(written, key=lambda one: one[1], reverse=True)
    return list(dict.fromkeys(pair[0] for both in zip(closest, newest, strict=True) for pair in both))
