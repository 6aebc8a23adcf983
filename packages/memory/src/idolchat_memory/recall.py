"""Recall: what was said in one scope that answers a text, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from idolchat_core import text_size
from idolchat_memory.contract import MemoryIndex, MemoryRow, MemoryScope, Role, ScopeReader
from idolchat_memory.periods import Period
from idolchat_memory.question import Question, read_question
from idolchat_memory.ranking import Candidate, Ranking, idf, rank
from idolchat_memory.selection import Found, Selection, keep_relevant, newer_first, select
from idolchat_memory.thesaurus import load_thesaurus

__all__ = ["DEFAULT_FLOOR", "MAX_RERANKED", "Recall", "RecallQuery", "RecallResult", "Recalled", "Reranker"]

DEFAULT_FLOOR = 1.15
"""Relevance below which nothing is recalled, where 1 is that of a word which one message alone has."""
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
    speaker: Role | None
    is_semantic: bool
    below_floor: int
    duplicates: int
    over_budget: int


class Reranker(Protocol):
    """Orders candidates anew by more than their words."""

    def rerank(self, reader: ScopeReader, text: str, ranking: Ranking) -> Sequence[Candidate] | None:
        """Give the same candidates with scores of its own, best first; None where it has nothing to judge by."""


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
        return await self._index.read(scope, lambda reader: self.answer(reader, query))

    def answer(self, reader: ScopeReader, query: RecallQuery) -> RecallResult:
        """Find what answers a query, within a call of ``MemoryIndex.read``."""
        question = read_question(query.text, context=query.context, names=query.names, now=query.now)
        if not reader.statistics().message_count:
            return _nothing(question)
        ranking = rank(reader, question, load_thesaurus())
        candidates, is_semantic = self._reranked(reader, query.text, ranking)
        found = _read(reader, candidates[: query.limit + len(query.excluded_ids)], query.excluded_ids)[: query.limit]
        read = len(found)
        if query.floor is not None:
            found = keep_relevant(found, query.floor * idf(reader.statistics().message_count, 1))
        below_floor = read - len(found)
        found = newer_first(found)
        budget = query.budget_tokens
        if budget is None:
            selection = Selection(found, sum(map(self._size_of, found)), 0, 0)
        else:
            selection = select(found, budget_tokens=budget, size=self._size_of)
        return RecallResult(
            items=[_recalled(one, question.speaker) for one in selection.chosen],
            tokens=selection.tokens,
            period=question.period,
            keeps_to_period=ranking.keeps_to_period,
            vague_words=question.vague_words,
            speaker=question.speaker,
            is_semantic=is_semantic,
            below_floor=below_floor,
            duplicates=selection.duplicates,
            over_budget=selection.over_budget,
        )

    def _reranked(self, reader: ScopeReader, text: str, ranking: Ranking) -> tuple[Sequence[Candidate], bool]:
        if self._reranker is not None:
            reranked = self._reranker.rerank(
                reader, text, ranking._replace(candidates=ranking.candidates[:MAX_RERANKED])
            )
            if reranked is not None:
                return reranked, True
        return ranking.candidates, False

    def _size_of(self, found: Found) -> float:
        return ITEM_OVERHEAD + self._size(found.row.message.text)


def _read(reader: ScopeReader, candidates: Sequence[Candidate], excluded_ids: frozenset[str]) -> list[Found]:
    rows = reader.rows(candidate.place for candidate in candidates)
    found = [Found(candidate, rows[candidate.place]) for candidate in candidates]
    return [one for one in found if one.row.message.message_id not in excluded_ids]


def _recalled(found: Found, speaker: Role | None) -> Recalled:
    _, score, relevance, matched, is_in_period = found.candidate
    return Recalled(found.row, score, relevance, matched, is_in_period, speaker == found.row.message.role)


def _nothing(question: Question) -> RecallResult:
    return RecallResult(
        items=(),
        tokens=0.0,
        period=question.period,
        keeps_to_period=False,
        vague_words=question.vague_words,
        speaker=question.speaker,
        is_semantic=False,
        below_floor=0,
        duplicates=0,
        over_budget=0,
    )
