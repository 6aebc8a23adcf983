"""How many tokens a prompt takes, estimated before it is sent and corrected by what the provider counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

__all__ = ["TokenEstimator", "message_size", "text_size"]

ASCII_BYTES_PER_TOKEN = 3.0
OTHER_BYTES_PER_TOKEN = 2.0
MESSAGE_OVERHEAD = 6.0
ATTACHMENT_SIZE = 1500.0
"""Cautious figures for byte-pair tokenizers: English takes 4 to 5 bytes a token, Korean and Japanese about 3."""
_MORE_FIELDS = frozenset({"name", "tool_calls", "tool_call_id", "reasoning_details"})


def text_size(text: str) -> float:
    """Estimate the tokens of a text, on the high side."""
    if text.isascii():
        return len(text) / ASCII_BYTES_PER_TOKEN
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    # As if a character took at most two: too many where some take more, so that no byte has to be looked at.
    other = min(2 * (size_bytes - len(text)), size_bytes)
    return (size_bytes - other) / ASCII_BYTES_PER_TOKEN + other / OTHER_BYTES_PER_TOKEN


def message_size(message: Mapping[str, Any]) -> float:
    """Estimate the tokens of a message in OpenAI form, on the high side."""
    size = MESSAGE_OVERHEAD + _content_size(message.get("content"))
    for name in message.keys() & _MORE_FIELDS:
        if message[name]:
            size += text_size(to_json(message[name]).decode())
    return size


def _content_size(content: str | Sequence[Mapping[str, Any]] | None) -> float:
    if content is None:
        return 0.0
    if isinstance(content, str):
        return text_size(content)
    return sum(text_size(part["text"]) if isinstance(part.get("text"), str) else ATTACHMENT_SIZE for part in content)


class TokenEstimator:
    """Turns sizes into tokens, per model, learning from the ``input_tokens`` that providers report.

    It goes up at once and comes down slowly, and keeps a margin, because an estimate that is too low overflows the
    context window while one that is too high only forgets a little early.
    """

    MARGIN = 1.08
    LOWEST, HIGHEST = 0.4, 4.0
    SMALLEST_SAMPLE = 30.0

    def __init__(self) -> None:
        self._factors: dict[str | None, float] = {}

    def tokens(self, size: float, model: str | None) -> float:
        """Estimate the tokens of a size, for a model."""
        return size * self._factors.get(model, 1.0)

    def learn(self, size: float, model: str | None, *, input_tokens: int) -> None:
        """Record that a prompt of this size was counted as so many tokens."""
        if input_tokens <= 0 or size < self.SMALLEST_SAMPLE:
            return
        seen = input_tokens / size * self.MARGIN
        known = self._factors.get(model, 1.0)
        self._set(model, seen if seen > known else known + 0.2 * (seen - known))

    def was_too_low(self, model: str | None) -> None:
        """Record that a prompt thought to fit did not."""
        self._set(model, self._factors.get(model, 1.0) * 1.3)

    def _set(self, model: str | None, factor: float) -> None:
        if len(self._factors) > 1000:
            self._factors.clear()
        self._factors[model] = min(max(factor, self.LOWEST), self.HIGHEST)
