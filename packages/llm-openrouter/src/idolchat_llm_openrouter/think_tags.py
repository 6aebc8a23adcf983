"""Takes the thoughts of local models out of their text: what stands in ``<think>`` at the beginning of a reply."""

from __future__ import annotations

__all__ = ["ThinkTags"]

OPENING, CLOSING = "<think>", "</think>"


class ThinkTags:
    """Splits the text of one reply, piece by piece, into text and thoughts; a tag may be cut anywhere.

    White space before the opening tag and behind the closing one belongs to neither. A reply that does not begin with
    the tag is text; one that never closes it is all thoughts.
    """

    def __init__(self) -> None:
        self._held = ""
        self._awaited: str | None = OPENING
        self._after_tag = False

    @property
    def is_over(self) -> bool:
        """Whether all that follows is text."""
        return self._awaited is None and not self._after_tag

    def split(self, piece: str) -> tuple[str, str]:
        """Return the text and the thoughts that a piece completes."""
        text = self._held + piece
        self._held = ""
        if self._awaited == OPENING:
            text = self._opened(text)
        if self._awaited == CLOSING:
            return self._closed(text)
        if self._after_tag and text:
            text = text.lstrip()
            self._after_tag = not text
        return text, ""

    def rest(self) -> tuple[str, str]:
        """Return what is held back at the end of a reply: the half of a tag that was none."""
        held, self._held = self._held, ""
        return ("", held) if self._awaited == CLOSING else (held, "")

    def _opened(self, text: str) -> str:
        start = text.lstrip()
        if start.startswith(OPENING):
            self._awaited = CLOSING
            return start[len(OPENING) :]
        if OPENING.startswith(start):
            self._held = text
            return ""
        self._awaited = None
        return text

    def _closed(self, text: str) -> tuple[str, str]:
        thoughts, tag, after = text.partition(CLOSING)
        if tag:
            self._awaited = None
            after = after.lstrip()
            self._after_tag = not after
            return after, thoughts
        keep = next((n for n in range(len(CLOSING) - 1, 0, -1) if text.endswith(CLOSING[:n])), 0)
        self._held = text[len(text) - keep :]
        return "", text[: len(text) - keep]
