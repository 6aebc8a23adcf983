"""A reply on the screen, as it comes."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console

from idolchat_cli.printable import PrintableText
from idolchat_cli.wrapping import WrappedText

__all__ = ["ReplyView"]


class ReplyView:
    """Shows that a reply is awaited, then its words in lines that fit; a context manager that ends the last line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._waiting = console.status("")
        self._printable = PrintableText()
        self._wrapped = WrappedText(console.width)
        self._is_blank = True
        self._is_shown = False

    def __enter__(self) -> Self:
        self._waiting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show(self._wrapped.end())
        self._waiting.stop()
        if self._is_shown:
            self._console.file.write("\n")
            self._console.file.flush()

    def write(self, piece: str) -> None:
        """Show the next piece."""
        text = self._printable.feed(piece)
        if self._is_blank:
            text = text.lstrip()
            self._is_blank = not text
        self._show(self._wrapped.feed(text))

    def _show(self, text: str) -> None:
        if not text:
            return
        if not self._is_shown:
            self._is_shown = True
            self._waiting.stop()
        self._console.file.write(text)
        self._console.file.flush()
