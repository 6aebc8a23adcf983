"""Ctrl-C, and a terminal that closes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupts"]

_LEAVING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupts:
    """While ``caught``, the first Ctrl-C amid a reply asks to stop it, any other cancels the task that made this."""

    def __init__(self) -> None:
        self._has_left = False
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._stop: asyncio.Event | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Handle the signals while the context is open."""
        wanted = {signal.SIGINT: self._interrupt} | dict.fromkeys(_LEAVING, self._leave)
        before = {number: signal.signal(number, self._calling(act)) for number, act in wanted.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def reply(self) -> Iterator[asyncio.Event]:
        """Begin a reply; the event is set when it is to stop."""
        self._stop = asyncio.Event()
        try:
            yield self._stop
        finally:
            self._stop = None

    def forgiven(self) -> bool:
        """Return whether the task was cancelled from here, and let it go on to its end."""
        if self._has_left and self._task is not None:
            self._task.uncancel()
        return self._has_left

    def _leave(self) -> None:
        if self._task is not None and not self._has_left:
            self._has_left = True
            self._task.cancel()

    def _interrupt(self) -> None:
        if self._stop is None or self._stop.is_set():
            self._leave()
        else:
            self._stop.set()

    def _calling(self, act: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
        # asyncio's own way to add signal handlers does not exist on Windows; this one works everywhere.
        def handle(number: int, frame: FrameType | None) -> None:
            self._loop.call_soon_threadsafe(act)

        return handle
