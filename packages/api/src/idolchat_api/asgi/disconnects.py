"""Hearing that a client has gone, without a task that waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from starlette.types import Scope

__all__ = ["Departure", "departure_of"]

_EXTENSION = "idolchat.departure"


class Departure:
    """Tells one listener at a time that a connection is lost.

    Our own protocol puts it into the scope of every request, as an extension of ASGI. Under another server there is
    none, and ``receive`` has to be waited for instead.
    """

    __slots__ = ("_has_happened", "_listener")

    def __init__(self) -> None:
        self._has_happened = False
        self._listener: Callable[[], None] | None = None

    def offer_to(self, scope: Scope) -> None:
        """Let a request hear of it."""
        scope.setdefault("extensions", {})[_EXTENSION] = self

    def listen(self, listener: Callable[[], None]) -> None:
        """Call this when the connection is lost, at once where it is."""
        self._listener = listener
        if self._has_happened:
            self.happen()

    def ignore(self) -> None:
        """Call nobody."""
        self._listener = None

    def happen(self) -> None:
        """Take note that the connection is lost."""
        self._has_happened = True
        listener, self._listener = self._listener, None
        if listener is not None:
            listener()


def departure_of(scope: Scope) -> Departure | None:
    """Give what tells of a request's departure, where the server does."""
    return cast("Departure | None", scope.get("extensions", {}).get(_EXTENSION))
