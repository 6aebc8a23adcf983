"""Writing to a client synchronously, without waking a task for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from starlette.types import Scope

__all__ = ["DirectWrite", "direct_write_of", "offer_direct_write", "withdraw_direct_write"]

_EXTENSION = "idolchat.direct_write"

type DirectWrite = Callable[[Sequence[bytes]], bool]
"""Writes pieces of a streamed body, or text messages of a socket; or writes nothing and returns false.

That is so where the client is slow to read, has gone, or is not owed a piece now: whoever has something to write
then does as if there were no direct_write, and calls ``send``.
"""


def offer_direct_write(scope: Scope, direct_write: DirectWrite) -> None:
    """Put a direct write into the scope of a request or socket, as an ASGI extension."""
    scope.setdefault("extensions", {})[_EXTENSION] = direct_write


def direct_write_of(scope: Scope) -> DirectWrite | None:
    """Return the direct write of a request or socket; None under a server that has none."""
    return cast("DirectWrite | None", scope.get("extensions", {}).get(_EXTENSION))


def withdraw_direct_write(scope: Scope) -> None:
    """Remove it, so that everything goes through ``send`` and through the middleware that changes it."""
    scope.get("extensions", {}).pop(_EXTENSION, None)
