"""The replies in the making, written down many together."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from itertools import batched
from uuid import UUID

from idolchat_core.storage.contract import Storage

__all__ = ["CheckpointRecords"]

PER_RECORD = 64
_NAME = re.compile(r"running\.(\d{1,6})")


class CheckpointRecords:
    """Lines by turn, in a few records: one each would be a file made and removed for every turn.

    A line stays until it is dropped. Turns move to earlier records only, and these are written first, so that at no
    moment one is in none; it may be in two.
    """

    def __init__(self, storage: Storage, namespace: str) -> None:
        self._storage = storage
        self._namespace = namespace
        self._lines: dict[UUID, bytes] = {}
        self._stored: dict[int, tuple[bytes, ...]] = {}
        self._writing = asyncio.Lock()

    @staticmethod
    def is_record(name: str) -> bool:
        """Return whether a record of this name is one of these."""
        return _NAME.fullmatch(name) is not None

    @staticmethod
    def lines_of(value: bytes) -> list[bytes]:
        """Split a record into the lines of its turns."""
        return value.split(b"\n") if value else []

    def set(self, turn_id: UUID, line: bytes) -> None:
        """Set the line of a turn, which ``write`` stores."""
        self._lines[turn_id] = line

    def drop(self, turn_id: UUID) -> None:
        """Remove the line of a turn from what ``write`` stores."""
        self._lines.pop(turn_id, None)

    def take_up(self, name: str, lines: dict[UUID, bytes]) -> None:
        """Go on with what another process has left in a record."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise ValueError(f"{name!r} is no record of replies in the making")
        self._stored[int(found[1])] = tuple(lines.values())
        self._lines |= lines

    async def write(self, *, durable: bool = False) -> None:
        """Bring the records up to date. Raises ``StorageUnavailable``; what it did not come to is written next time."""
        async with self._writing:
            for number, lines in self._outdated():
                self._stored[number] = ()  # it may be written though that fails
                name = f"running.{number}"
                if lines:
                    await self._storage.put_record(self._namespace, name, b"\n".join(lines), durable=durable)
                    self._stored[number] = lines
                else:
                    await self._storage.delete_record(self._namespace, name)
                    del self._stored[number]

    def _outdated(self) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        wanted = dict(enumerate(batched(list(self._lines.values()), PER_RECORD)))
        gone = [number for number in self._stored if number not in wanted]
        yield from ((number, lines) for number, lines in wanted.items() if self._stored.get(number) != lines)
        yield from ((number, ()) for number in gone)
