"""Ask before something is destroyed."""

from __future__ import annotations

import signal
import sys

import typer

from idolchat_cli.usage import WrongUsage

__all__ = ["confirm"]


def confirm(question: str, *, yes: bool) -> None:
    """Return when the answer is yes, given by ``--yes`` or at the terminal.

    Raises ``typer.Abort`` for no, and ``WrongUsage`` where nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUsage("this cannot be undone, and nobody can be asked here: repeat it with --yes")
    # asyncio takes the first Ctrl-C as a wish to cancel, which is not heard while this waits for a line.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        typer.confirm(question, abort=True, err=True)
    finally:
        signal.signal(signal.SIGINT, before)
