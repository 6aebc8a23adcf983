"""A turn's events by ``seq``, those that readers have most likely read already in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from sys import getsizeof
from typing import Any, NamedTuple, cast

from idolchat_core.events.events import Batch, Event, TurnStarted
from idolchat_core.llm.contract import Delta
from idolchat_core.memory_size import memory_size

__all__ = ["MOST_RECENT", "EventBuffer"]

BLOCK = 32
MOST_RECENT = 2 * BLOCK
FEW = 4
"""As a block, so many events take no less than as they are."""
_PLAIN = (None, None, None)
_NO_OTHERS: dict[int, Event] = {}
_EVENT_BYTES = 250
"""Memory that an event takes as an object, with a text of one word: measured, CPython 3.12."""
_MESSAGE_BYTES = 2500
"""Memory that the message of a terminal event takes besides its text, which is that of the reply."""

_new = tuple.__new__  # for a delta of nothing but text: half of what the class's own takes


class _Block(NamedTuple):
    """Some events: the texts of plain deltas as one, where each text ends in it, and the others by their place."""

    text: str
    ends: array[int]
    others: dict[int, Event]

    @classmethod
    def of(cls, events: Sequence[Event | str]) -> _Block:
        texts = [
            event if isinstance(event, str) else (event[0] if type(event) is Delta and event[1:] == _PLAIN else "")
            for event in events
        ]
        others = {place: event for place, event in enumerate(events) if not texts[place] and not isinstance(event, str)}
        return cls.of_texts(texts, others)

    @classmethod
    def of_texts(cls, texts: Sequence[str], others: dict[int, Event] = _NO_OTHERS) -> _Block:
        return cls("".join(texts), array("I", accumulate(map(len, texts))), others)

    def events(self) -> Iterator[Event]:
        for place, (start, end) in enumerate(pairwise([0, *self.ends])):
            yield self.others.get(place) or Delta(self.text[start:end])

    @property
    def size_bytes(self) -> int:
        return sum(map(getsizeof, self)) + sum(map(_size_bytes, self.others.values()))


def _size_bytes(event: Event | str) -> int:
    if isinstance(event, str):
        return memory_size(event)
    if isinstance(event, Delta):
        return _EVENT_BYTES + memory_size(event.content) + memory_size(event.fields)
    if isinstance(event, TurnStarted) or event.message is None:
        return _EVENT_BYTES
    return _MESSAGE_BYTES + memory_size(event.message.__pydantic_extra__)


class EventBuffer:
    """Grows at its end. Deltas of nothing but text are held as their texts, older ones many in one; events are made of
    them when they are asked for.

    A delta takes some 110 bytes as an object, of which its text is a twentieth, and the collector of cycles looks at
    it; a text is left alone by that.
    """

    __slots__ = ("_blocks", "_older", "_recent", "_texts_from")

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._older = 0
        self._recent: list[Event | str] = []
        self._texts_from = 0
        """The ``seq`` from which all is held as texts, one by one."""

    def __len__(self) -> int:
        return self._older + len(self._recent)

    @property
    def last(self) -> Event | str | None:
        """The newest event; a text stands for a delta of it."""
        return self._recent[-1] if self._recent else None

    @property
    def size_bytes(self) -> int:
        """About how much memory they take."""
        return sum(block.size_bytes for block in self._blocks) + sum(map(_size_bytes, self._recent))

    def extend(self, events: Batch) -> int:
        """Add events that came together, at least one, and return the ``seq`` of the first."""
        recent = self._recent
        first = self._older + len(recent)
        recent += events
        if type(events[0]) is not str:
            self._texts_from = first + len(events)
        if len(recent) >= MOST_RECENT:
            self.pack_older()
        return first

    def pack_older(self) -> None:
        """Pack all but the newest events into little memory."""
        while len(self._recent) >= MOST_RECENT:
            self._pack(BLOCK)

    def pack(self) -> None:
        """Pack all but the last event into little memory; no more may follow."""
        if len(self) <= FEW:
            return
        while len(self._recent) > 1:
            self._pack(min(BLOCK, len(self._recent) - 1))

    def _pack(self, count: int) -> None:
        oldest = self._recent[:count]
        are_texts = self._texts_from <= self._older
        self._blocks.append(_Block.of_texts(cast("list[str]", oldest)) if are_texts else _Block.of(oldest))
        del self._recent[:count]
        self._older += count
        self._texts_from = max(self._texts_from, self._older)

    def since(self, seq: int) -> list[Event]:
        """Return the events from ``seq`` on, or the first of them where there are many; none where there are none."""
        recent = seq - self._older
        if recent >= 0:
            return [_event(each) for each in self._recent[recent:]]
        return list(self._blocks[seq // BLOCK].events())[seq % BLOCK :]

    def texts_since(self, seq: int) -> list[str] | None:
        """Return the texts of the events from ``seq`` on; None where some are more than text, or are not the newest."""
        newest: list[Any] = self._recent
        return newest[seq - self._older :] if seq >= self._texts_from else None


def _event(held: Event | str) -> Event:
    return _new(Delta, (held, None, None, None)) if isinstance(held, str) else held
