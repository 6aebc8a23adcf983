"""The ``traceparent`` header of W3C Trace Context."""

from __future__ import annotations

import re

__all__ = ["valid_traceparent"]

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, section 3.2; one of another form begins a new trace, so it is not passed on."""


def valid_traceparent(given: str | None) -> str | None:
    """Return the header if it is valid, else None."""
    return given if given and _TRACEPARENT.fullmatch(given) else None
