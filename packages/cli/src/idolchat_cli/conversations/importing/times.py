"""Read the times of other programs; one that cannot be read is no time."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["read_time"]

_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_UNITS_PER_S = ((1e11, 1), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
"""Below each number, how many units of it a second has: seconds, milliseconds, microseconds, nanoseconds."""

_HUMANIZED = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})\s*@\s*(\d{1,2})h\s*(\d{1,2})m\s*(?:(\d{1,2})s)?")
"""``2024-7-12@01h31m37s`` and ``2024-6-5 @14h 56m 50s 682ms`` of SillyTavern."""

_MERIDIEM = re.compile(r"([a-z]+)\.? (\d{1,2}), (\d{4}),? (\d{1,2}):(\d{2})\s*([ap])m", re.IGNORECASE)
"""``June 19, 2023 2:20pm`` of SillyTavern."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def read_time(value: Any) -> datetime | None:
    """Read a number, in the unit that its size tells, or a text; without a zone it is taken for UTC.

    What is before 1970 or after 2099 is no time, as is all that cannot be read.
    """
    try:
        time = _read(value)
    except (ValueError, OverflowError, OSError):
        return None
    return time if time is not None and _EARLIEST <= time < _LATEST else None


def _read(value: Any) -> datetime | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_number(float(value))
    if isinstance(value, Mapping):  # MongoDB's extended JSON
        return _read(value.get("$date", value.get("$numberLong")))
    return _from_text(value.strip()) if isinstance(value, str) else None


def _from_number(number: float) -> datetime | None:
    if not math.isfinite(number):
        return None
    unit = next((per_s for below, per_s in _UNITS_PER_S if number < below), None)
    return datetime.fromtimestamp(number / unit, UTC) if unit else None


def _from_text(text: str) -> datetime | None:
    if re.fullmatch(r"\d{9,20}(\.\d+)?", text):
        return _from_number(float(text))
    if found := _HUMANIZED.search(text):
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    if found := _MERIDIEM.search(text):
        month = _MONTHS.index(found[1][:3].lower()) + 1
        hour = int(found[4]) % 12 + (12 if found[6].lower() == "p" else 0)
        return datetime(int(found[3]), month, int(found[2]), hour, int(found[5]), tzinfo=UTC)
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
