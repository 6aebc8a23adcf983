"""What a prompt consists of, and how much of it equals the beginning of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from idolchat_core.memory_size import memory_size
from idolchat_core.prompt.parts import MeasuredPart, PromptPart

if TYPE_CHECKING:  # a history keeps the outline of its last prompt
    from idolchat_core.prompt.history import Entry

__all__ = ["Outline", "shared_size"]

_PART_BYTES = 500
"""Memory that a part takes besides its text: measured, CPython 3.12."""


class Outline(NamedTuple):
    """What a prompt consists of: the ``head``, then the ``history``, which ``late`` parts stand in or behind.

    ``steady`` is how many messages of the history stand before any of these, and ``steady_size`` is the size of those.
    """

    head: Sequence[MeasuredPart] = ()
    history: Sequence[Entry] = ()
    late: Sequence[MeasuredPart] = ()
    steady: int = 0
    steady_size: float = 0.0

    def kept(self) -> Outline:
        """Return it for the next prompt, which does not ask what brought a part here that is of this turn alone."""
        if all(part.is_lasting for part in (*self.head, *self.late)):
            return self
        return self._replace(head=_without_why(self.head), late=_without_why(self.late))

    @property
    def held_bytes(self) -> int:
        """About how much memory it takes besides the history, and the texts that other conversations have as well."""
        parts = (*self.head, *self.late)
        return sum([_PART_BYTES + (0 if part.is_lasting else memory_size(part.part.content)) for part in parts])

    def pieces(self) -> Iterator[tuple[object, float]]:
        """Name what there is, in order, each with its size: a part by its content, a message by its id."""
        for part in self.head:
            yield part.part.content, part.size
        for place, entry in enumerate(self.history):
            if place == self.steady:
                yield from ((part.part.content, part.size) for part in self.late)
            yield entry.id, entry.size
        if self.steady == len(self.history):
            yield from ((part.part.content, part.size) for part in self.late)


def _without_why(parts: Sequence[MeasuredPart]) -> list[MeasuredPart]:
    return [
        one
        if one.is_lasting
        else MeasuredPart(PromptPart(part.source, part.key, part.content, part.slot), {}, one.size, None, False)
        for one in parts
        for part in (one.part,)
    ]


def shared_size(before: Outline, after: Outline) -> float:
    """Return how much of a prompt equals the beginning of the one before, given the outlines of both.

    Where the conversation has gone on, the cost does not grow with it.
    """
    if _goes_on(before, after):
        return sum([part.size for part in before.head]) + before.steady_size
    size = 0.0
    for one, other in zip(before.pieces(), after.pieces(), strict=False):
        if one[0] != other[0]:
            break
        size += other[1]
    return size


def _goes_on(before: Outline, after: Outline) -> bool:
    """Whether all up to the late parts is the same: two messages with all of one branch between them say so."""
    count = before.steady
    return (
        0 < count < after.steady
        and (before.history[0] is after.history[0] or before.history[0].id == after.history[0].id)
        and before.history[count - 1].id == after.history[count - 1].id
        and [part.part.content for part in before.head] == [part.part.content for part in after.head]
    )
