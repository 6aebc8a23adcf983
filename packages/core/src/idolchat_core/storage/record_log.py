"""Logs made of records, for back ends that have nothing better."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

__all__ = ["RecordLogs", "namespaces_among"]

MAX_PART_BYTES = 64 * 1024
"""A part that has grown so long is written no more, so that adding a line costs the same in a long log."""
_DIGITS = 8
_LOGS = ".log"


class _Records(Protocol):
    async def get_record(self, namespace: str, name: str) -> bytes | None: ...

    async def put_record(self, namespace: str, name: str, value: bytes, *, durable: bool = True) -> str: ...

    async def list_records(self, namespace: str) -> Sequence[str]: ...


class _Lines:
    """Lines of one log that are written together."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.durable = False
        self.written: asyncio.Task[None]


class RecordLogs:
    """Keeps each log as numbered parts, records of the namespace ``<namespace>.log``; the last part is rewritten.

    For one writing process: two would overwrite each other's last part.
    """

    def __init__(self, records: _Records) -> None:
        self._records = records
        self._writing = asyncio.Lock()
        self._gathering: dict[tuple[str, str], _Lines] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last: dict[tuple[str, str], tuple[int, bytes]] = {}

    async def append(self, namespace: str, name: str, lines: bytes, *, durable: bool) -> None:
        """See ``Storage.append_log``; what is added while others are written is written together."""
        lines_together = self._gathering.get((namespace, name))
        if lines_together is None:
            lines_together = self._gathering[namespace, name] = _Lines()
            writing = lines_together.written = asyncio.create_task(self._write(namespace, name, lines_together))
            self._tasks.add(writing)
            writing.add_done_callback(self._ended)
        lines_together.lines.append(lines)
        lines_together.durable |= durable
        await asyncio.shield(lines_together.written)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits is told; nobody may be left who does

    async def _write(self, namespace: str, name: str, together: _Lines) -> None:
        async with self._writing:
            del self._gathering[namespace, name]
            lines, durable = b"".join(together.lines), together.durable
            number, part = self._last.get((namespace, name)) or await self._last_part(namespace, name)
            if len(part) >= MAX_PART_BYTES:
                number, part = number + 1, b""
            self._last.pop((namespace, name), None)
            await self._records.put_record(_space(namespace), _part(name, number), part + lines, durable=durable)
            self._last = {(namespace, name): (number, part + lines)}

    async def read(self, namespace: str, name: str, *, start: int) -> bytes:
        """See ``Storage.read_log``."""
        parts = [await self._records.get_record(_space(namespace), part) for part in await self._parts(namespace, name)]
        return b"".join(part or b"" for part in parts)[start:]

    async def names(self, namespace: str) -> Sequence[str]:
        """See ``Storage.list_logs``."""
        return sorted({part[: -_DIGITS - 1] for part in await self._records.list_records(_space(namespace))})

    async def _parts(self, namespace: str, name: str) -> list[str]:
        found = await self._records.list_records(_space(namespace))
        return [part for part in found if part[: -_DIGITS - 1] == name]

    async def _last_part(self, namespace: str, name: str) -> tuple[int, bytes]:
        parts = await self._parts(namespace, name)
        if not parts:
            return 0, b""
        return int(parts[-1][-_DIGITS:]), await self._records.get_record(_space(namespace), parts[-1]) or b""


def namespaces_among(spaces: Iterable[str]) -> list[str]:
    """Return which namespaces there are, of records and of logs, by those of all records."""
    return sorted({space.removesuffix(_LOGS) for space in spaces})


def _space(namespace: str) -> str:
    return f"{namespace}{_LOGS}"


def _part(name: str, number: int) -> str:
    return f"{name}.{number:0{_DIGITS}}"
