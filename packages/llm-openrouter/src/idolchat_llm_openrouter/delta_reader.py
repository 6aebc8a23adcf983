"""The pieces of a streamed body, into deltas."""

from __future__ import annotations

from collections.abc import Iterable

from idolchat_core.llm.contract import Delta
from idolchat_llm_openrouter.chunk_decoder import Assembler, text_in
from idolchat_llm_openrouter.chunk_template import Stencil
from idolchat_llm_openrouter.sse import SSEParser

__all__ = ["DeltaReader"]


class DeltaReader:
    """Reads pieces that are cut anywhere; the commonest is an event like the last one, but for its text."""

    __slots__ = ("_assembler", "_is_even", "_parser", "_stencil")

    def __init__(self, assembler: Assembler) -> None:
        self._assembler = assembler
        self._parser = SSEParser()
        self._stencil = Stencil()
        self._is_even = False  # between two events, and not in the middle of a character

    def deltas(self, pieces: Iterable[bytes]) -> list[Delta]:
        """Give the deltas of some pieces, up to the end or a failure. Raises ``EventTooLong``."""
        assembler, stencil = self._assembler, self._stencil
        deltas: list[Delta] = []
        for piece in pieces:
            text = stencil.text_in(piece) if self._is_even else None
            if text:
                deltas.append(Delta(text))
            else:
                deltas += self._parsed(piece)
                if assembler.is_done or assembler.failure:
                    break
        return deltas

    def _parsed(self, piece: bytes) -> list[Delta]:
        was_even = self._is_even
        events = self._parser.feed(piece)
        deltas = self._assembler.take_chunks(events)
        self._is_even = self._parser.is_between_events and self._assembler.takes_text
        if was_even and self._is_even and len(events) == len(deltas) == 1:
            self._stencil.learn(piece, _text_of_event)
        return deltas


def _text_of_event(event: bytes) -> str | None:
    return text_in(event.removeprefix(b"data: "))
