"""The keyboard while a reply is being made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["unseen_keys"]

if sys.platform == "win32":

    @contextmanager
    def unseen_keys() -> Iterator[None]:
        """Do nothing: the Windows console shows no keys before they are read."""
        yield
else:
    import termios

    LOCAL_FLAGS = 3

    @contextmanager
    def unseen_keys() -> Iterator[None]:
        """Keep what is typed out of the reply on the screen; the next prompt shows it."""
        before = termios.tcgetattr(sys.stdin)
        quiet = [*before]
        quiet[LOCAL_FLAGS] &= ~termios.ECHO
        termios.tcsetattr(sys.stdin, termios.TCSANOW, quiet)
        try:
            yield
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, before)
