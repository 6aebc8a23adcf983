"""Writing to a client in the very moment, without a task that is woken for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from starlette.types import Scope

__all__ = ["Outlet", "offer_outlet", "outlet_of", "without_outlet"]

_EXTENSION = "idolchat.outlet"

type Outlet = Callable[[Sequence[bytes]], bool]
"""Writes pieces of a streamed body, or text messages of a socket; or writes nothing and returns false.

That is so where the client is slow to read, has gone, or is not owed a piece now: whoever has something to write
then does as if there were no outlet, and calls ``send``.
"""


def offer_outlet(scope: Scope, outlet: Outlet) -> None:
    """Let a request or socket write so; an extension of ASGI by our own protocols."""
    scope.setdefault("extensions", {})[_EXTENSION] = outlet


def outlet_of(scope: Scope) -> Outlet | None:
    """Give the outlet, where the server has one."""
    return cast("Outlet | None", scope.get("extensions", {}).get(_EXTENSION))


def without_outlet(scope: Scope) -> None:
    """Have everything go through ``send``, for the sake of those in between who change it."""
    scope.get("extensions", {}).pop(_EXTENSION, None)
