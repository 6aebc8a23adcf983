"""Wrong usage that only a command itself can find."""

from __future__ import annotations

import typer

__all__ = ["WrongUsage"]


class WrongUsage(typer.BadParameter):
    """Options or arguments that do not go together: one message, and exit status 2."""

    def format_message(self) -> str:
        """Return the message as it is, without a parameter to blame."""
        return self.message
