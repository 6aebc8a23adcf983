"""A turn's events by ``seq``, those that readers have most likely read already in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from sys import getsizeof
from typing import NamedTuple

from idolchat_core.events.events import Event, TurnStarted
from idolchat_core.llm.contract import Delta
from idolchat_core.memory_size import memory_size

__all__ = ["EventBuffer"]

BLOCK = 16
_MOST_RECENT = 2 * BLOCK
FEW = 4
"""As a block, so many events take no less than as they are."""
_PLAIN = (None, None, None)
_EVENT_BYTES = 250
"""Memory that an event takes as an object, with a text of one word: measured, CPython 3.12."""
_MESSAGE_BYTES = 2500
"""Memory that the message of a terminal event takes besides its text, which is that of the reply."""


class _Block(NamedTuple):
    """Some events: the texts of plain deltas as one, where each text ends in it, and the others by their place."""

    text: str
    ends: array[int]
    others: dict[int, Event]

    @classmethod
    def of(cls, events: Sequence[Event]) -> _Block:
        texts = [event[0] if type(event) is Delta and event[1:] == _PLAIN else "" for event in events]
        others = {place: events[place] for place, text in enumerate(texts) if not text} if "" in texts else {}
        return cls("".join(texts), array("I", accumulate(map(len, texts))), others)

    def events(self) -> Iterator[Event]:
        for place, (start, end) in enumerate(pairwise([0, *self.ends])):
            yield self.others.get(place) or Delta(self.text[start:end])

    @property
    def size_bytes(self) -> int:
        return sum(map(getsizeof, self)) + sum(map(_size_bytes, self.others.values()))


def _size_bytes(event: Event) -> int:
    if isinstance(event, Delta):
        return _EVENT_BYTES + memory_size(event.content) + memory_size(event.fields)
    if isinstance(event, TurnStarted) or event.message is None:
        return _EVENT_BYTES
    return _MESSAGE_BYTES + memory_size(event.message.__pydantic_extra__)


class EventBuffer:
    """Grows at its end; the newest events are held as the objects that were added, older ones are made when asked for.

    A delta takes some 110 bytes as an object, of which its text is a twentieth.
    """

    __slots__ = ("_blocks", "_older", "_recent")

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._older = 0
        self._recent: list[Event] = []

    def __len__(self) -> int:
        return self._older + len(self._recent)

    @property
    def last(self) -> Event | None:
        """The newest event."""
        return self._recent[-1] if self._recent else None

    @property
    def size_bytes(self) -> int:
        """About how much memory they take."""
        return sum(block.size_bytes for block in self._blocks) + sum(map(_size_bytes, self._recent))

    def extend(self, events: Sequence[Event]) -> int:
        """Add events, and return the ``seq`` of the first."""
        recent = self._recent
        first = self._older + len(recent)
        recent += events
        while len(recent) >= _MOST_RECENT:
            self._pack(BLOCK)
        return first

    def pack(self) -> None:
        """Pack all but the last event into little memory; no more may follow."""
        if len(self) <= FEW:
            return
        while len(self._recent) > 1:
            self._pack(min(BLOCK, len(self._recent) - 1))

    def _pack(self, count: int) -> None:
        self._blocks.append(_Block.of(self._recent[:count]))
        del self._recent[:count]
        self._older += count

    def since(self, seq: int) -> list[Event]:
        """Return the events from ``seq`` on, or the first of them where there are many; none where there are none."""
        recent = seq - self._older
        if recent >= 0:
            return self._recent[recent:]
        return list(self._blocks[seq // BLOCK].events())[seq % BLOCK :]

    def texts_since(self, seq: int) -> list[str] | None:
        """Return the texts of the events from ``seq`` on; None where some are more than text, or are not the newest."""
        recent = seq - self._older
        if recent < 0:
            return None
        events = self._recent[recent:]
        texts = [event[0] for event in events if type(event) is Delta and event[1:] == _PLAIN]
        return texts if len(texts) == len(events) else None
