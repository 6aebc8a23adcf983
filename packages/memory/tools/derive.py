"""Compute the two files of this package that are derived from the weights of all-MiniLM-L6-v2.

    python packages/memory/tools/derive.py

Every word of the model's own vocabulary is read by the model alone, without any text. ``thesaurus.bin``: the words
that come nearest to each, for lexical recall. ``projection.npy``: the mean of the vectors (row 0) and their first
principal components, for late interaction.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from idolchat_memory.recall.thesaurus import NO_STEM
from idolchat_memory.semantic.model import Model, load_model
from idolchat_memory.terms import STOP_WORDS, stem

PACKAGE = Path(__file__).parents[1] / "src" / "idolchat_memory"
DIMENSIONS = 64
WORDS = 15_000
NEIGHBOURS = 16
LEAST_SIMILARITY = 0.3
Floats = NDArray[np.float32]


def main() -> None:
    model = load_model()
    words = [
        word
        for word, _ in sorted(model.tokenizer.get_vocab().items(), key=lambda item: item[1])
        if word.isascii() and word.isalpha() and len(word) > 2
    ]
    vectors = np.stack([vector for word in words for vector in _read(model, word)])
    _write_projection(vectors[1::2])
    _write_thesaurus(words[:WORDS], _normalised(vectors[::2] - vectors[::2].mean(axis=0))[:WORDS])


def _read(model: Model, word: str) -> tuple[Floats, Floats]:
    """The mean over the word and its boundary tokens, and the vector of the word's own token."""
    hidden = model.run([model.begin, *model.tokenizer.encode(word, add_special_tokens=False).ids, model.end])
    return hidden.mean(axis=0), hidden[1]


def _write_projection(vectors: Floats) -> None:
    mean = vectors.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov((vectors - mean).T))
    components = axes[:, ::-1][:, :DIMENSIONS].T
    np.save(PACKAGE / "semantic" / "projection.npy", np.vstack([mean, components]).astype(np.float16))


def _write_thesaurus(words: list[str], vectors: Floats) -> None:
    stems = sorted({stem(word) for word in words if word not in STOP_WORDS})
    numbers = {name: number for number, name in enumerate(stems)}
    counts, near, similarities = bytearray(), array("H"), bytearray()
    for position in range(len(words)):
        found = list(_near(position, words, vectors))
        counts.append(len(found))
        near.extend(numbers[name] for name, _ in found)
        similarities += bytes(round(255 * similarity) for _, similarity in found)
    names = "\n".join(stems).encode() + b"\0" + "\n".join(words).encode() + b"\0"
    own = array("H", (numbers.get(stem(word), NO_STEM) for word in words))
    (PACKAGE / "data" / "thesaurus.bin").write_bytes(
        zlib.compress(names + own.tobytes() + bytes(counts) + near.tobytes() + bytes(similarities), 9)
    )


def _near(position: int, words: list[str], vectors: Floats) -> Iterator[tuple[str, float]]:
    similarities = vectors @ vectors[position]
    seen = {stem(words[position])}
    for other in np.argsort(-similarities):
        if similarities[other] < LEAST_SIMILARITY or len(seen) > NEIGHBOURS:
            return
        name = stem(words[other])
        if words[other] not in STOP_WORDS and name not in seen:
            seen.add(name)
            yield name, float(similarities[other] - LEAST_SIMILARITY) / (1 - LEAST_SIMILARITY)


def _normalised(vectors: Floats) -> Floats:
    result: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result


if __name__ == "__main__":
    main()
