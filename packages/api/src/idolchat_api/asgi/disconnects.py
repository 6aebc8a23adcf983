"""Noticing that a client has disconnected, without a task that waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from starlette.types import Scope

__all__ = ["Disconnect", "disconnect_of"]

_EXTENSION = "idolchat.disconnect"


class Disconnect:
    """Calls one listener at a time when a connection is lost.

    Our own protocol puts it into the scope of every request, as an extension of ASGI. Under another server there is
    none, and ``receive`` has to be waited for instead.
    """

    __slots__ = ("_has_happened", "_listener")

    def __init__(self) -> None:
        self._has_happened = False
        self._listener: Callable[[], None] | None = None

    def offer_to(self, scope: Scope) -> None:
        """Put it into the scope of a request."""
        scope.setdefault("extensions", {})[_EXTENSION] = self

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when the connection is lost, or at once if it is."""
        self._listener = listener
        if self._has_happened:
            self.notify()

    def ignore(self) -> None:
        """Remove the listener."""
        self._listener = None

    def notify(self) -> None:
        """Record that the connection is lost, and call the listener."""
        self._has_happened = True
        listener, self._listener = self._listener, None
        if listener is not None:
            listener()


def disconnect_of(scope: Scope) -> Disconnect | None:
    """Return the disconnect notice of a request; None under a server that has none."""
    return cast("Disconnect | None", scope.get("extensions", {}).get(_EXTENSION))
