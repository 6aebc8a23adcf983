"""What the ledger's lines of one day add up to, kept so that a start reads only what was added since."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from idolchat_core.spending.ledger_lines import NAMESPACE
from idolchat_core.storage.contract import Storage

__all__ = ["DailyTotals", "Payer", "Tally", "read_day"]

log = logging.getLogger(__name__)

_FORMAT = 1
_MUCH_BYTES = 64 * 1024


class Payer(NamedTuple):
    """Whom sums are kept by."""

    user: str | None
    key: str | None
    model: str | None
    purpose: str


@dataclass(slots=True)
class Tally:
    """Sums over calls; ``cost`` in the provider's currency, of the calls whose cost is known."""

    calls: int = 0
    cancelled: int = 0
    estimated: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens

    def add(self, other: Tally) -> None:
        """Record another sum."""
        for name in Tally.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def count(self, line: Mapping[str, Any]) -> None:
        """Record a ``call`` or ``fix`` line."""
        self.input_tokens += line["input"]
        self.output_tokens += line["output"]
        self.cost += line["cost"] or 0
        if "call" in line:
            self.calls += 1
            self.cancelled += line["outcome"] == "cancelled"
            self.estimated += bool(line["estimated"])
        else:
            self.estimated -= 1


class DailyTotals:
    """The sums of one day up to ``offset`` bytes of its log.

    ``opened`` are the lines of calls that are not settled, ``unsure`` those of calls whose figures are estimates that
    the provider may still correct.
    """

    def __init__(self, day: str) -> None:
        self.day = day
        self.offset = 0
        self.sums: dict[Payer, Tally] = {}
        self.opened: dict[str, dict[str, Any]] = {}
        self.unsure: dict[str, dict[str, Any]] = {}

    @property
    def total(self) -> Tally:
        """The sum over all."""
        total = Tally()
        for tally in self.sums.values():
            total.add(tally)
        return total

    def take(self, lines: bytes) -> None:
        """Record what stands in the log after ``offset``; what does not end with a newline is still being written."""
        whole = lines[: lines.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            try:
                self._line(from_json(line, cache_strings="keys"))  # ids, each of which is read once
            except (ValueError, LookupError, TypeError, AttributeError):  # cut short by a crash
                if line:
                    log.warning("a line of the ledger cannot be read", extra={"day": self.day, "size_bytes": len(line)})

    def _line(self, line: dict[str, Any]) -> None:
        match line:
            case {"call": call_id}:
                self._settle(line, call_id)
            case {"open": call_id}:
                self.opened[call_id] = line
            case {"named": call_id} if call_id in self.opened:
                self.opened[call_id]["completion"] = line["completion"]
            case {"void": call_id}:
                self.opened.pop(call_id, None)
            case {"fix": call_id} if self.unsure.pop(call_id, None):
                self._count(line)
            case {"sure": call_id}:
                self.unsure.pop(call_id, None)

    def _settle(self, line: dict[str, Any], call_id: str) -> None:
        call = self.opened.pop(call_id, None)
        if call is None:
            return  # said twice, because nobody could be sure that it was written the first time
        self._count(line)
        line["completion"] = line.get("completion") or call.get("completion")
        if line["estimated"] and line["completion"]:
            self.unsure[call_id] = line

    def _count(self, line: Mapping[str, Any]) -> None:
        payer = Payer(line["user"], line["key"], line["model"], line["purpose"])
        self.sums.setdefault(payer, Tally()).count(line)

    def encode(self) -> bytes:
        """Write it down."""
        sums = [[*payer, *(getattr(tally, name) for name in Tally.__slots__)] for payer, tally in self.sums.items()]
        lines = {"opened": list(self.opened.values()), "unsure": list(self.unsure.values())}
        return to_json({"format": _FORMAT, "offset": self.offset, "sums": sums, **lines})

    def restore(self, value: bytes) -> None:
        """Load what ``encode`` has written."""
        said = from_json(value)
        if said["format"] != _FORMAT:
            return
        self.offset = said["offset"]
        self.sums = {Payer(*row[:4]): Tally(*row[4:]) for row in said["sums"]}
        self.opened = {line["open"]: line for line in said["opened"]}
        self.unsure = {line["call"]: line for line in said["unsure"]}


async def read_day(storage: Storage, day: str) -> tuple[DailyTotals, int]:
    """Read a day, and return how many bytes of its log had to be read, too. Raises ``StorageUnavailable``."""
    book = DailyTotals(day)
    kept = await storage.get_record(NAMESPACE, day)
    if kept:
        book.restore(kept)
    lines = await storage.read_log(NAMESPACE, day, start=book.offset)
    if len(lines) > _MUCH_BYTES:
        await asyncio.to_thread(book.take, lines)
    else:
        book.take(lines)
    return book, len(lines)
