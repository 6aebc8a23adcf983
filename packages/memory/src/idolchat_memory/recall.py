"""Recall: what was said in one scope that answers a text, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from idolchat_core.tokens import text_size
from idolchat_memory.contract import MemoryIndex, MemoryRow, MemoryScope, ScopeReader
from idolchat_memory.periods import Period
from idolchat_memory.question import Speaker, read_question
from idolchat_memory.ranking import Candidate, Ranking, rank
from idolchat_memory.selection import above_floor, newer_first, select
from idolchat_memory.thesaurus import load_thesaurus

__all__ = ["DEFAULT_FLOOR", "MAX_RERANKED", "Recall", "RecallQuery", "RecallResult", "Recalled", "Reranker"]

DEFAULT_FLOOR = 6.0
"""Relevance below which nothing is recalled."""
MAX_RERANKED = 200
ITEM_OVERHEAD = 20.0
"""Tokens that the date, the age and the speaker of a recalled message take."""


class RecallQuery(NamedTuple):
    """What is asked of whose memory.

    ``text`` is the newest message, ``context`` what was said just before it. ``now`` is the time of that message,
    aware, in the time zone of the user: "yesterday" counts from there. ``names`` are those of the user and of the
    character. ``excluded_ids`` are the messages that the prompt holds anyway. ``floor`` None: nothing is left out;
    ``budget_tokens`` None: as many as ``limit`` says, also those that say the same.
    """

    text: str
    now: datetime
    context: str = ""
    names: tuple[str, str] = ("", "")
    excluded_ids: frozenset[str] = frozenset()
    limit: int = 50
    floor: float | None = DEFAULT_FLOOR
    budget_tokens: float | None = None


class Recalled(NamedTuple):
    """A message that is recalled, and why: ``matched`` words of the question, its period, who was asked for."""

    row: MemoryRow
    score: float
    relevance: float
    matched: Sequence[str]
    is_in_period: bool
    is_of_speaker: bool


class RecallResult(NamedTuple):
    """What is recalled, best first, and how the question was read.

    ``vague_words`` speak of a time that could not be read, and changed nothing. ``is_semantic`` says that late
    interaction took part.
    """

    items: Sequence[Recalled]
    tokens: float
    period: Period | None
    keeps_to_period: bool
    vague_words: str | None
    speaker: Speaker | None
    is_semantic: bool
    below_floor: int
    duplicates: int
    over_budget: int


class Reranker(Protocol):
    """Orders candidates anew by more than their words."""

    def rerank(self, reader: ScopeReader, text: str, ranking: Ranking) -> Sequence[Candidate]:
        """Give the same candidates with scores of its own, best first."""


class Recall:
    """Answers questions from an index."""

    def __init__(
        self,
        index: MemoryIndex,
        *,
        reranker: Reranker | None = None,
        size: Callable[[str], float] = text_size,
    ) -> None:
        self._index = index
        self._reranker = reranker
        self._size = size

    async def search(self, scope: MemoryScope, query: RecallQuery) -> RecallResult:
        """Find what answers a query in one scope. Raises ``StorageUnavailable``."""
        return await self._index.read(scope, lambda reader: self._search(reader, query))

    def _search(self, reader: ScopeReader, query: RecallQuery) -> RecallResult:
        question = read_question(query.text, context=query.context, names=query.names, now=query.now)
        if not reader.statistics().message_count:
            ranking = Ranking((), keeps_to_period=False, weights={})
        else:
            ranking = rank(reader, question, load_thesaurus())
        candidates = [one for one in ranking.candidates if one.row.message.message_id not in query.excluded_ids]
        found = above_floor(candidates, query.floor) if query.floor is not None else candidates
        is_semantic = self._reranker is not None and bool(found)
        if self._reranker is not None and found:
            found = [*self._reranker.rerank(reader, query.text, ranking._replace(candidates=found[:MAX_RERANKED]))]
        found = newer_first(found)
        budget = query.budget_tokens if query.budget_tokens is not None else float("inf")
        if query.budget_tokens is None:
            chosen, tokens, duplicates, over = found[: query.limit], 0.0, 0, 0
        else:
            chosen, tokens, duplicates, over = select(found[: 4 * query.limit], budget_tokens=budget, size=self._size_of)
        return RecallResult(
            items=[_recalled(one, question.speaker) for one in chosen[: query.limit]],
            tokens=tokens,
            period=question.period,
            keeps_to_period=ranking.keeps_to_period,
            vague_words=question.vague_words,
            speaker=question.speaker,
            is_semantic=is_semantic,
            below_floor=len(candidates) - len(found),
            duplicates=duplicates,
            over_budget=over,
        )

    def _size_of(self, candidate: Candidate) -> float:
        return ITEM_OVERHEAD + self._size(candidate.row.message.text)


def _recalled(candidate: Candidate, speaker: Speaker | None) -> Recalled:
    row, score, relevance, matched, is_in_period = candidate
    return Recalled(row, score, relevance, matched, is_in_period, speaker == row.message.role)
