"""Where a request came from, for those who count and limit what is asked for."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple

__all__ = ["CALLER", "CallerInfo"]


class CallerInfo(NamedTuple):
    """Facts about a request that are not part of it.

    ``key_id`` names the API key that was shown, ``address`` is where the request came from; None is not counted by.
    ``traceparent`` is the W3C header of the trace that the request belongs to.
    """

    key_id: str | None = None
    address: str | None = None
    traceparent: str | None = None


CALLER: ContextVar[CallerInfo] = ContextVar("idolchat_origin", default=CallerInfo())  # noqa: B039  frozen
"""Set by whoever takes a request in; the tasks that it starts, such as its turn, keep it."""
