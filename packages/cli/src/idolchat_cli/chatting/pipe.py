"""One message from a pipe, its reply to standard output."""

from __future__ import annotations

import sys

from idolchat_cli.chatting.interrupts import Interrupts
from idolchat_cli.chatting.talk import Talk, shortfall
from idolchat_cli.printable import PrintableText, printable
from idolchat_cli.render import on_stderr
from idolchat_core.errors import InvalidRequest
from idolchat_core.events.events import TurnState

__all__ = ["INTERRUPTED", "answer_once", "read_message"]

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended: 128 and the signal's number."""


def read_message() -> str:
    """Read standard input to its end. Raises ``InvalidRequest``."""
    if sys.stdin.isatty():
        on_stderr().print("Type a message; Ctrl-D on a line of its own sends it.", style="dim")
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"standard input is not UTF-8 text: {error.reason} at byte {error.start}") from None
    if not text.strip():
        raise InvalidRequest("standard input is empty: there is nothing to say")
    return text.removesuffix("\n")


async def answer_once(talk: Talk, message: str, *, interrupts: Interrupts) -> int:
    """Send one message, write the reply to standard output as it comes, and return the exit status."""
    output = _Output()
    with interrupts.reply() as stop:
        ended = await talk.say(message, hear=output.write, stop=stop)
    output.end()
    missing = shortfall(ended)
    if missing:
        on_stderr().print(printable(missing))
    if ended.state is TurnState.CANCELLED:
        return INTERRUPTED
    return 0 if ended.state is TurnState.COMPLETED else 1


class _Output:
    def __init__(self) -> None:
        self._printable = PrintableText()
        self._last = "\n"

    def write(self, piece: str) -> None:
        text = self._printable.feed(piece)
        if text:
            self._last = text[-1]
            sys.stdout.write(text)
            sys.stdout.flush()

    def end(self) -> None:
        if self._last != "\n":
            sys.stdout.write("\n")
            sys.stdout.flush()
