"""Ages, as options take them."""

from __future__ import annotations

import re
from datetime import timedelta

import typer

__all__ = ["parse_duration"]

_AGE = re.compile(r"(\d{1,6})\s*(min|[hdw])")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_duration(text: str | timedelta) -> timedelta:
    """Read an age: ``30min``, ``12h``, ``7d``, ``2w``."""
    if isinstance(text, timedelta):
        return text
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no age; write 30min, 12h, 7d or 2w")
    return int(found[1]) * _UNITS[found[2]]
