"""Recall: what was said in some scopes that answers a text, best first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import batched, islice
from typing import NamedTuple, Protocol
from uuid import UUID

from idolchat_core import MemoryIndex, MemoryRow, MemoryScope, ScopeReader, Speaker, text_size
from idolchat_memory.recall.excerpt import excerpt
from idolchat_memory.recall.periods import Period
from idolchat_memory.recall.question import Question, read_question
from idolchat_memory.recall.ranking import MAX_CANDIDATES, Candidate, Ranking, idf, rank
from idolchat_memory.recall.selection import Found, Selection, compare, keep_relevant, newer_first, select
from idolchat_memory.recall.thesaurus import load_thesaurus
from idolchat_memory.terms import stem

__all__ = [
    "DEFAULT_FLOOR",
    "MAX_RERANKED",
    "InPrompt",
    "Recall",
    "RecallQuery",
    "RecallResult",
    "Recalled",
    "Reranker",
]

DEFAULT_FLOOR = 0.85
"""Relevance below which nothing is recalled, where 1 is that of a word which one message alone has."""
LEAST_SHARE = 0.5
"""Nor what is less relevant than this share of the best that is no question: it would only cost tokens."""
CANDIDATES_PER_RESULT = 6
"""So many are judged by who said them and when for each that is wanted."""
MAX_RERANKED = 200
ITEM_OVERHEAD = 20.0
"""Tokens that the date, the age and the speaker of a recalled message take, and a message of the prompt around them."""


class InPrompt(NamedTuple):
    """What the prompt holds anyway: so many messages of a branch, from the position ``first`` on."""

    conversation_id: UUID
    first: int
    messages: int


class RecallQuery(NamedTuple):
    """What is asked of whose memory.

    ``text`` is the newest message, ``context`` what was said just before it. ``now`` is the time of that message,
    aware, in the time zone of the user: "yesterday" counts from there. ``names`` are those of the user and of the
    character. What is ``in_prompt`` is not recalled. ``floor`` None: nothing is left out;
    ``budget_tokens`` None: as many as ``limit`` says, also those that say the same. ``tokens_of`` estimates a text's.
    """

    text: str
    now: datetime
    context: str = ""
    names: tuple[str, str] = ("", "")
    in_prompt: InPrompt | None = None
    limit: int = 50
    floor: float | None = DEFAULT_FLOOR
    budget_tokens: float | None = None
    tokens_of: Callable[[str], float] = text_size

    @property
    def question(self) -> Question:
        """What it asks for."""
        return read_question(self.text, context=self.context, names=self.names, now=self.now)

    @property
    def passed_over(self) -> int:
        """How many may be found that are not wanted."""
        return 0 if self.in_prompt is None else self.in_prompt.messages

    def wants(self, row: MemoryRow) -> bool:
        """Whether the prompt does not hold a message anyway."""
        held = self.in_prompt
        return held is None or row.conversation_id != held.conversation_id or row.message.position < held.first


class Recalled(NamedTuple):
    """A message that is recalled, and why: ``matched`` words of the question, its period, who was asked for.

    ``shown`` is its text, or the part of a long one that answers.
    """

    scope: MemoryScope
    row: MemoryRow
    score: float
    relevance: float
    matched: Sequence[str]
    is_in_period: bool
    is_of_speaker: bool
    shown: str


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

    def rerank(self, reader: ScopeReader, text: str, ranking: Ranking) -> Sequence[Candidate] | None:
        """Return the same candidates with scores of its own, best first; None where it has nothing to judge by."""


class _FoundInScope(NamedTuple):
    found: list[Found]
    below_floor: int
    keeps_to_period: bool
    is_semantic: bool


class _Asked:
    """A query that is made, and read, where it is first needed: off the event loop."""

    def __init__(self, ask: Callable[[], RecallQuery]) -> None:
        self._ask = ask

    @cached_property
    def query(self) -> RecallQuery:
        return self._ask()

    @cached_property
    def question(self) -> Question:
        return self.query.question


class Recall:
    """Answers questions from an index."""

    def __init__(self, index: MemoryIndex, *, reranker: Reranker | None = None) -> None:
        self._index = index
        self._reranker = reranker

    async def search(self, scopes: Sequence[MemoryScope], query: RecallQuery) -> RecallResult:
        """Find what answers a query in some scopes, each read on its own. Raises ``StorageUnavailable``."""
        return await self.work(scopes, lambda: query, lambda result, _: result)

    async def work[T](
        self,
        scopes: Sequence[MemoryScope],
        ask: Callable[[], RecallQuery],
        then: Callable[[RecallResult, RecallQuery], T],
    ) -> T:
        """Search with what is to be done before and after it, all off the event loop; return what ``then`` makes of it.

        Raises ``StorageUnavailable``.
        """
        asked, found = _Asked(ask), list[_FoundInScope]()
        for scope in scopes[:-1]:
            found.append(await self._index.read(scope, lambda reader, scope=scope: self._found(reader, scope, asked)))  # type: ignore[misc]

        def rest(reader: ScopeReader) -> T:
            each = [*found, self._found(reader, scopes[-1], asked)]
            found.clear()  # all that is not recalled goes here, and not in the event loop
            return then(_chosen(asked, each), asked.query)

        return await self._index.read(scopes[-1], rest)

    def answer(self, reader: ScopeReader, scope: MemoryScope, query: RecallQuery) -> RecallResult:
        """Find what answers a query in one scope, within a call of ``MemoryIndex.read``."""
        asked = _Asked(lambda: query)
        return _chosen(asked, [self._found(reader, scope, asked)])

    def _found(self, reader: ScopeReader, scope: MemoryScope, asked: _Asked) -> _FoundInScope:
        count = reader.statistics().message_count
        if not count:
            return _FoundInScope([], 0, False, False)
        query, question = asked.query, asked.question
        wanted = CANDIDATES_PER_RESULT * query.limit + query.passed_over
        most = MAX_CANDIDATES if self._reranker is not None else min(wanted, MAX_CANDIDATES)
        ranking = rank(reader, question, load_thesaurus(), most=most)
        candidates, is_semantic = self._reranked(reader, query.text, ranking)
        found = list(islice(_outside(reader, candidates, query, scope, ranking), query.limit))
        compare(found)
        kept = found if query.floor is None else _relevant(found, question, query.floor * idf(count, 1))
        return _FoundInScope(kept, len(found) - len(kept), ranking.keeps_to_period, is_semantic)

    def _reranked(self, reader: ScopeReader, text: str, ranking: Ranking) -> tuple[Sequence[Candidate], bool]:
        if self._reranker is not None:
            reranked = self._reranker.rerank(
                reader, text, ranking._replace(candidates=ranking.candidates[:MAX_RERANKED])
            )
            if reranked is not None:
                return reranked, True
        return ranking.candidates, False


def _outside(
    reader: ScopeReader, candidates: Sequence[Candidate], query: RecallQuery, scope: MemoryScope, ranking: Ranking
) -> Iterator[Found]:
    """Read the best that the prompt does not hold anyway, as many at a time as are wanted: mostly it holds few."""
    for some in batched(candidates[: query.limit + query.passed_over], query.limit):
        rows = reader.rows(candidate.place for candidate in some)
        for one in some:
            if query.wants(rows[one.place]):
                yield Found(one, rows[one.place], scope, ranking.matched(one.place))


def _relevant(found: Sequence[Found], question: Question, floor: float) -> list[Found]:
    """Leave out what is too far from the question, and the question itself as it was asked before."""
    asked = {stem(word) for word in question.words}
    telling = [one for one in found if not (one.is_question and asked.issuperset(one.terms))]
    answers = [one.candidate.relevance for one in telling if not one.is_question]
    return keep_relevant(telling, max(floor, LEAST_SHARE * max(answers, default=0.0)))


def _chosen(asked: _Asked, each: Sequence[_FoundInScope]) -> RecallResult:
    """Choose the best of all scopes together."""
    query, question = asked.query, asked.question
    found = [one for scope in each for one in scope.found]
    if len(each) > 1:
        found.sort(key=lambda one: -one.candidate.score)
        compare(found)
    found = newer_first(found[: query.limit])

    def shown(one: Found) -> str:
        return excerpt(one.row.message.text, one.matched)

    def size(one: Found) -> float:
        return ITEM_OVERHEAD + query.tokens_of(shown(one))

    if query.budget_tokens is None:
        selection = Selection(found, sum(map(size, found)), 0, 0)
    else:
        selection = select(found, budget_tokens=query.budget_tokens, size=size)
    return RecallResult(
        items=[_recalled(one, shown(one), question.speaker) for one in selection.chosen],
        tokens=selection.tokens,
        period=question.period,
        keeps_to_period=any(scope.keeps_to_period for scope in each),
        vague_words=question.vague_words,
        speaker=question.speaker,
        is_semantic=any(scope.is_semantic for scope in each),
        below_floor=sum(scope.below_floor for scope in each),
        duplicates=selection.duplicates,
        over_budget=selection.over_budget,
    )


def _recalled(found: Found, shown: str, speaker: Speaker | None) -> Recalled:
    score, _, relevance, is_in_period = found.candidate
    is_of_speaker = speaker == found.row.message.role
    return Recalled(found.scope, found.row, score, relevance, found.matched, is_in_period, is_of_speaker, shown)
