"""What a prompt consists of, and how much of it equals the beginning of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from idolchat_core.memory_size import memory_size
from idolchat_core.prompt.entry import Entry
from idolchat_core.prompt.parts import MeasuredPart

__all__ = ["Outline", "outline_of", "shared_size"]

_PIECE_BYTES, _PART_BYTES = 100, 500
"""Memory that a part takes besides its text, and one that is known for the next prompt: measured, CPython 3.12."""

type Piece = tuple[object, float]
"""The content of a part, or the id of a message, and its size."""


class Outline(NamedTuple):
    """What a prompt consists of: the ``head``, then the ``history``, which ``late`` parts stand in or behind.

    ``steady`` is how many messages of the history stand before any of these, and ``steady_size`` is the size of those.
    Parts that are ``lasting`` may be in the next prompt, too, by the ids of the objects that their sources gave.
    ``held_bytes`` is about how much memory all this takes besides the history, and the texts that other conversations
    have as well.
    """

    head: Sequence[Piece] = ()
    history: Sequence[Entry] = ()
    late: Sequence[Piece] = ()
    steady: int = 0
    steady_size: float = 0.0
    lasting: Mapping[int, MeasuredPart] = {}
    held_bytes: int = 0

    def pieces(self) -> Iterator[Piece]:
        """Name what there is, in order."""
        yield from self.head
        for place, entry in enumerate(self.history):
            if place == self.steady:
                yield from self.late
            yield entry.id, entry.size
        if self.steady == len(self.history):
            yield from self.late


def outline_of(
    head: Sequence[MeasuredPart],
    history: Sequence[Entry],
    late: Sequence[MeasuredPart] = (),
    *,
    steady: int,
    steady_size: float,
) -> Outline:
    """Outline a prompt; what brought a part there that is of this turn alone is not kept."""
    lasting: dict[int, MeasuredPart] = {}
    held_bytes = 0
    for one in (*head, *late):
        if one.is_lasting:
            lasting[id(one.given)] = one
            held_bytes += _PART_BYTES
        else:
            held_bytes += _PIECE_BYTES + memory_size(one.part.content)
    pieces, late_pieces = ([(one.part.content, one.size) for one in parts] for parts in (head, late))
    return Outline(pieces, history, late_pieces, steady, steady_size, lasting, held_bytes)


def shared_size(before: Outline, after: Outline) -> float:
    """Return how much of a prompt equals the beginning of the one before, given the outlines of both.

    Where the conversation has gone on, the cost does not grow with it.
    """
    if _goes_on(before, after):
        return sum([size for _, size in before.head]) + before.steady_size
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
        and [content for content, _ in before.head] == [content for content, _ in after.head]
    )
