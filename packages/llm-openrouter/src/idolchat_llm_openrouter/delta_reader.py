"""Reads deltas from the parts of a streamed body."""

from __future__ import annotations

from collections.abc import Iterable

from idolchat_core import Delta
from idolchat_llm_openrouter.chunk_decoder import ChunkDecoder
from idolchat_llm_openrouter.chunk_template import ChunkTemplate
from idolchat_llm_openrouter.plain_chunk import text_in
from idolchat_llm_openrouter.sse import SSEParser

__all__ = ["DeltaReader"]


class DeltaReader:
    """Reads parts that are cut anywhere; the commonest is an event like the last one, but for its text."""

    __slots__ = ("_decoder", "_is_aligned", "_parser", "_template")

    def __init__(self, decoder: ChunkDecoder) -> None:
        self._decoder = decoder
        self._parser = SSEParser()
        self._template = ChunkTemplate()
        self._is_aligned = False  # between two events, and not in the middle of a character

    def deltas(self, pieces: Iterable[bytes]) -> list[Delta]:
        """Return the deltas of some parts, up to the end or a failure. Raises ``EventTooLong``."""
        decoder, template = self._decoder, self._template
        deltas: list[Delta] = []
        for piece in pieces:
            text = template.text_in(piece) if self._is_aligned else None
            if text:
                deltas.append(Delta(text))
            else:
                deltas += self._parsed(piece)
                if decoder.is_done or decoder.failure:
                    break
        return deltas

    def end(self) -> list[Delta]:
        """Return the deltas that the end of the body completes."""
        decoder = self._decoder
        last, unframed = self._parser.end()
        deltas: list[Delta] = []
        for event in last:
            if not (decoder.is_done or decoder.failure):
                deltas += decoder.decode_last(event)
        return deltas + decoder.end(unframed)

    def _parsed(self, piece: bytes) -> list[Delta]:
        was_aligned = self._is_aligned
        events = self._parser.feed(piece)
        deltas = self._decoder.decode_chunks(events)
        self._is_aligned = self._parser.is_between_events and self._decoder.accepts_plain_text
        if was_aligned and self._is_aligned and len(events) == len(deltas) == 1:
            self._template.learn(piece, _text_of_event)
        elif not self._is_aligned and not (self._decoder.is_done or self._decoder.failure):
            deltas += self._unframed()
        return deltas

    def _unframed(self) -> list[Delta]:
        """Read JSON that a server sent as it is, also while the connection is held open behind it."""
        text = self._parser.unframed_json()
        deltas = self._decoder.decode_unframed(text) if text else None
        if deltas is None:
            return []
        self._parser.forget_unframed()
        return deltas


def _text_of_event(event: bytes) -> str | None:
    return text_in(event.removeprefix(b"data: "))
