"""Macros that tell the time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from idolchat_characters.macros.dates import formatted, humanized
from idolchat_characters.macros.expansion import Call, Handler

__all__ = ["TIMES"]

_OFFSET = re.compile(r"(?:time_)?UTC([+-]\d{1,2})", re.IGNORECASE)


def _formatted(form: str) -> Handler:
    return lambda call: formatted(call.context.time, form)


def _time(call: Call) -> str:
    """Return the time, at an offset from UTC where one is named."""
    found = _OFFSET.fullmatch(call.argument(0))
    return _at_offset(call, found[1]) if found else formatted(call.context.time, "LT")


def _at_offset(call: Call, hours: str) -> str:
    zone = timezone(timedelta(hours=max(-23, min(int(hours), 23))))
    return formatted(call.context.time.astimezone(zone), "LT")


def _in_form(call: Call) -> str:
    return formatted(call.context.time, call.argument(0))


def _idle(call: Call) -> str:
    """Return how long the user had been away, in words; at the beginning of a conversation, not at all."""
    last = call.context.user_was_last_here_at
    if call.context.place == "prefix" or last is None:
        return "just now"
    return humanized(call.context.now - last)


def _difference(call: Call) -> str | None:
    """Return how far apart two times are, in words, seen from the second."""
    try:
        first, second = (_read(call.argument(at)) for at in (0, 1))
    except ValueError:
        return ""
    words = humanized(first - second)
    return f"in {words}" if first > second else f"{words} ago"


def _read(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _shifted(hours: str) -> Handler:
    return lambda call: _at_offset(call, hours)


TIMES: Mapping[str, Handler] = {
    "time": _time,
    "date": _formatted("LL"),
    "weekday": _formatted("dddd"),
    "isotime": _formatted("HH:mm"),
    "isodate": _formatted("YYYY-MM-DD"),
    "datetimeformat": _in_form,
    "idle_duration": _idle,
    "idleduration": _idle,
    "timediff": _difference,
    **{f"time_utc{hours:+d}": _shifted(f"{hours:+d}") for hours in range(-14, 15)},
}
