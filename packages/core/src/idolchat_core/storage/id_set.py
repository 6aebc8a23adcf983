"""Many ids of conversations in little memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from heapq import merge
from uuid import UUID

__all__ = ["IdSet"]

_SIZE = 16


class IdSet(Collection[UUID]):
    """A set of ids that takes 16 bytes for each; a list of UUIDs takes ten times as much.

    It is gone through in their order, which is that of time where they are UUIDv7: what an index keeps of
    conversations, and of the turns in them, is so read and written in the order that it has there.
    """

    def __init__(self, ids: Iterable[UUID]) -> None:
        # Apart by the last byte, the random one of a UUIDv7: no more than a part is ever in memory as objects.
        found = [bytearray() for _ in range(256)]
        for conversation_id in ids:
            value = conversation_id.bytes
            found[value[-1]] += value
        self._parts = [_sorted(part) for part in found]

    def __len__(self) -> int:
        return sum(map(len, self._parts)) // _SIZE

    def __iter__(self) -> Iterator[UUID]:
        return (UUID(bytes=value) for value in merge(*map(_values, self._parts)))

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, UUID):
            return False
        wanted = value.bytes
        part = self._parts[wanted[-1]]
        place = bisect_left(range(len(part) // _SIZE), wanted, key=lambda number: _value(part, number))
        return _value(part, place) == wanted


def _sorted(part: bytearray) -> bytes:
    """Put the ids of a part in order, each once."""
    return b"".join(sorted({*_values(bytes(part))}))


def _values(part: bytes) -> Iterator[bytes]:
    return (part[start : start + _SIZE] for start in range(0, len(part), _SIZE))


def _value(part: bytes, number: int) -> bytes:
    return part[number * _SIZE : (number + 1) * _SIZE]
