"""Token vectors: what a text is in late interaction, 64 bytes for each token that carries meaning."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from idolchat_memory.semantic.model import MODEL_SHA256, Model
from idolchat_memory.terms import STOP_WORDS

__all__ = ["DIMENSIONS", "ENCODING", "Encoder", "QueryTokens"]

DIMENSIONS = 64
MAX_TOKENS, MAX_TOKENS_BEFORE = 192, 48
"""Tokens of a message that are encoded, and those of the one before it that the model reads with them."""
_PROJECTION = resources.files("idolchat_memory.semantic").joinpath("projection.npy").read_bytes()
_DIGEST = hashlib.sha256(MODEL_SHA256.encode() + _PROJECTION).hexdigest()[:16]
ENCODING = f"minilm-{DIMENSIONS}-{MAX_TOKENS}-{MAX_TOKENS_BEFORE}-{_DIGEST}"
"""Names the encoding: vectors of another name cannot be compared with these."""
_MEANING = re.compile("[a-z0-9]", re.IGNORECASE)
Floats = NDArray[np.float32]


class QueryTokens(NamedTuple):
    """The tokens of a question: their vectors, of length 1, and the word that each is part of."""

    vectors: Floats
    words: Sequence[str]


class Encoder:
    """Encodes texts with a model. Scripts that the model cannot read give no vectors."""

    def __init__(self, model: Model) -> None:
        self._model = model
        projection = np.load(io.BytesIO(_PROJECTION)).astype(np.float32)
        self._mean, self._components = projection[0], projection[1:].T
        self.name = ENCODING

    def encode_message(self, text: str, text_before: str = "", speaker: str = "") -> bytes:
        """Encode a message, read after the one before it and its speaker: ``DIMENSIONS`` signed bytes a token."""
        if _MEANING.search(text) is None:
            return b""
        ids = self._ids(text)[:MAX_TOKENS]
        before = self._ids(text_before)[-MAX_TOKENS_BEFORE:]
        before += self._ids(f"{speaker}:") if speaker else []
        kept = [position for position, token in enumerate(ids) if token not in self._meaningless]
        if not kept:
            return b""
        hidden = self._model.run([self._model.begin, *before, *ids, self._model.end])
        vectors = self._projected(hidden[1 + len(before) :][kept])
        scaled = vectors / np.abs(vectors).max(axis=1, keepdims=True)
        return np.round(scaled * 127).astype(np.int8).tobytes()

    def encode_query(self, text: str) -> QueryTokens:
        """Encode a question: of its first ``MAX_TOKENS`` tokens those that mean something."""
        encoding = self._model.tokenizer.encode(text.lower(), add_special_tokens=False)
        ids = encoding.ids[:MAX_TOKENS]
        words = _words(encoding.word_ids, encoding.offsets, text.lower())[: len(ids)]
        kept = [position for position, word in enumerate(words) if _MEANING.search(word)]
        if not kept:
            return QueryTokens(np.empty((0, DIMENSIONS), dtype=np.float32), ())
        hidden = self._model.run([self._model.begin, *ids, self._model.end])[1:-1]
        return QueryTokens(self._projected(hidden[kept]), [words[position] for position in kept])

    @cached_property
    def _meaningless(self) -> frozenset[int]:
        vocabulary = self._model.tokenizer.get_vocab().items()
        return frozenset(
            number
            for token, number in vocabulary
            if token in STOP_WORDS or token.startswith("[") or _MEANING.search(token) is None
        )

    def _ids(self, text: str) -> list[int]:
        return list(self._model.tokenizer.encode(text, add_special_tokens=False).ids)

    def _projected(self, hidden: Floats) -> Floats:
        vectors = (hidden - self._mean) @ self._components
        result: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return result


def _words(numbers: Sequence[int | None], offsets: Sequence[tuple[int, int]], text: str) -> list[str]:
    """Return the whole word that each token is a piece of."""
    starts: dict[int | None, int] = {}
    ends: dict[int | None, int] = {}
    for number, (start, end) in zip(numbers, offsets, strict=True):
        starts.setdefault(number, start)
        ends[number] = end
    return [text[starts[number] : ends[number]] for number in numbers]
