"""What is shown of a long message: the part that answers, cut at the ends of sentences where there are some."""

from __future__ import annotations

import re
from collections.abc import Collection

from idolchat_memory.terms import stem, words_of

__all__ = ["MAX_EXCERPT", "excerpt"]

MAX_EXCERPT = 480
"""Characters that are shown of one message: that of a short paragraph, so that some fit the smallest budget."""
_ENDS = ".!?\n\u3002\uff01\uff1f"
_SENTENCE = re.compile(rf"[^{_ENDS}]+[{_ENDS}]*[\s\"\u201d\u300d)]*|[{_ENDS}]+")
_GAP = "\u2026"


def excerpt(text: str, words: Collection[str], *, limit: int = MAX_EXCERPT) -> str:
    """Return the text, or the run of its sentences around the one that has most of the words; a gap shows as ``…``."""
    text = text.strip()
    if len(text) <= limit:
        return text
    sentences = [part for found in _SENTENCE.findall(text) for part in _pieces(found, limit - 2)]
    wanted = {stem(word) for word in words}
    worth = [len(wanted & {stem(word) for word in words_of(sentence)}) for sentence in sentences]
    first = last = max(range(len(sentences)), key=lambda at: (worth[at], -at))
    length = len(sentences[first])
    while True:
        if last + 1 < len(sentences) and length + len(sentences[last + 1]) <= limit - 2:
            last += 1
            length += len(sentences[last])
        elif first and length + len(sentences[first - 1]) <= limit - 2:
            first -= 1
            length += len(sentences[first])
        else:
            break
    shown = "".join(sentences[first : last + 1]).strip()
    return f"{_GAP if first else ''}{shown}{_GAP if last + 1 < len(sentences) else ''}"


def _pieces(sentence: str, limit: int) -> list[str]:
    return [sentence[start : start + limit] for start in range(0, len(sentence), limit)]
