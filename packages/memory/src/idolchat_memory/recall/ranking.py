"""Lexical ranking: BM25 over messages and over whole sessions, with scores that flow between neighbours.

BM25 is that of Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with the idf of Lucene. Every
word of the question counts once in a message: by itself, or by that word of like meaning which gives most. The weights
are round figures, near the best for three conversations of LoCoMo and not at it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from idolchat_core import MessageTraits, Posting, ScopeReader
from idolchat_memory.recall.periods import Period
from idolchat_memory.recall.question import Question
from idolchat_memory.recall.thesaurus import Thesaurus
from idolchat_memory.terms import stem

__all__ = ["Candidate", "Ranking", "idf", "rank"]

K1, B = 0.9, 0.4
_SHARES = ((0, 1.0), (1, 0.5), (2, 0.15), (-1, 0.2))
"""How much of a message's score flows to those after it and before."""
FROM_QUESTION = 0.3
"""And more of it flows from a question to the answer."""
SESSION_WEIGHT = 1.0
OTHER_MESSAGES, OTHER_SESSIONS = 100, 5
"""Messages and sessions of nobody, counted along: where little was said, no word is common for that alone."""
NAMED_WEIGHT, PRONOUN_WEIGHT = 8.0, 3.0
PERIOD_WEIGHT = 5.0
QUESTION_PENALTY = 0.3
BEFORE_PERIOD, AFTER_PERIOD = timedelta(days=1), timedelta(days=7)
"""What happened on a day is told then, or some days after."""
MAX_POSTINGS, MAX_NEAR_POSTINGS = 1000, 4000
"""So many messages are looked at for each word, the newest, and for all those near them."""
MAX_CANDIDATES = 300
MAX_IN_PERIOD = 200
LEAST_IN_PERIOD = 0.5
"""What is found in the period must be this good beside the best elsewhere, or the period is not kept to."""


class Candidate(NamedTuple):
    """A place whose message may answer. ``relevance`` is what its words and those around it are worth; ``score`` adds
    who said it and when. ``matched`` are words of the question that stand in it, or for which a near one does."""

    place: int
    score: float
    relevance: float
    matched: tuple[str, ...]
    is_in_period: bool


class Ranking(NamedTuple):
    """Candidates, best first; ``keeps_to_period`` says that only those of the question's period are among them."""

    candidates: Sequence[Candidate]
    keeps_to_period: bool
    weights: Mapping[str, float]
    """The idf of each word of the question."""


class _Scores(NamedTuple):
    by_place: Mapping[int, float]
    by_session: Mapping[int, float]
    sessions: Mapping[int, int]
    matched: Mapping[int, Sequence[str]]
    weights: Mapping[str, float]


def rank(reader: ScopeReader, question: Question, thesaurus: Thesaurus) -> Ranking:
    """Rank the messages that may answer a question: ``MAX_CANDIDATES``, and those of the period that it names."""
    scores = _score_words(reader, question.words, thesaurus)
    relevance = _flow(scores)
    places = sorted(relevance, key=relevance.__getitem__, reverse=True)[:MAX_CANDIDATES]
    if question.period:
        start, end = _told_of(question.period)
        places += [place for place in reader.places_between(start, end, limit=MAX_IN_PERIOD) if place not in relevance]
    traits = reader.traits(places)
    judge = _Judge(traits, scores, relevance, question)
    candidates = [judge.candidate(place) for place in places if place in traits]
    candidates.sort(key=lambda candidate: (-candidate.score, -candidate.place))
    kept = _within(candidates) if question.period and question.period.is_relative else []
    if kept:
        candidates = kept
    return Ranking(candidates, bool(kept), scores.weights)


def idf(message_count: int, containing: int, others: int = OTHER_MESSAGES) -> float:
    """Weigh a term by how few of the messages contain it, among so many ``others`` that do not."""
    return math.log(1 + (message_count + others - containing + 0.5) / (containing + 0.5))


def _score_words(reader: ScopeReader, words: Mapping[str, float], thesaurus: Thesaurus) -> _Scores:
    near = {word: thesaurus.near(word) for word in words}
    own = {stem(word): reader.postings(stem(word), limit=MAX_POSTINGS) for word in words}
    others = {term for found in near.values() for term, _ in found} - own.keys()
    postings = own | dict(reader.postings_of_many(sorted(others), limit=MAX_NEAR_POSTINGS))
    bm25 = _Bm25(reader, postings)
    by_place: defaultdict[int, float] = defaultdict(float)
    by_session: defaultdict[int, float] = defaultdict(float)
    matched: defaultdict[int, list[str]] = defaultdict(list)
    for word, weight in words.items():
        terms = [(stem(word), 1.0), *near[word]]
        for place, score in _best(bm25.of_messages(term, share) for term, share in terms).items():
            by_place[place] += weight * score
            matched[place].append(word)
        for session, score in _best(bm25.of_sessions(term, share) for term, share in terms).items():
            by_session[session] += weight * score
    sessions = {place: session for found in postings.values() for place, session, _, _ in found}
    count = reader.statistics().message_count
    weights = {word: idf(count, len(postings.get(stem(word), ()))) for word in words}
    return _Scores(by_place, by_session, sessions, matched, weights)


class _Bm25:
    """The scores of one term at a time, from postings that are read already."""

    def __init__(self, reader: ScopeReader, postings: Mapping[str, Sequence[Posting]]) -> None:
        self._postings = postings
        self._counts = reader.statistics()
        self._session_lengths = reader.session_lengths(
            {session for found in postings.values() for _, session, _, _ in found}
        )
        self._mean_length = max(self._counts.length / max(self._counts.message_count, 1), 1.0)
        self._mean_session_length = max(self._counts.length / max(self._counts.session_count, 1), 1.0)

    def of_messages(self, term: str, share: float) -> dict[int, float]:
        postings = self._postings.get(term, ())
        weight = share * (K1 + 1) * idf(self._counts.message_count, len(postings))
        fixed, by_length = K1 * (1 - B), K1 * B / self._mean_length
        return {place: weight * count / (count + fixed + by_length * length) for place, _, count, length in postings}

    def of_sessions(self, term: str, share: float) -> dict[int, float]:
        counts: defaultdict[int, int] = defaultdict(int)
        for _, session, count, _ in self._postings.get(term, ()):
            counts[session] += count
        weight = share * (K1 + 1) * idf(self._counts.session_count, len(counts), OTHER_SESSIONS)
        fixed, by_length = K1 * (1 - B), K1 * B / self._mean_session_length
        return {
            session: weight * count / (count + fixed + by_length * self._session_lengths[session])
            for session, count in counts.items()
        }


def _best(scores: Iterable[Mapping[int, float]]) -> Mapping[int, float]:
    best: dict[int, float] = {}
    for found in scores:
        for key, score in found.items():
            if score > best.get(key, 0.0):
                best[key] = score
    return best


def _flow(scores: _Scores) -> dict[int, float]:
    """Add to each place what flows from its neighbours, and what its session is worth.

    A place without a message may come out too; it is left out when rows are read.
    """
    flowing: defaultdict[int, float] = defaultdict(float)
    sessions: dict[int, int] = {}
    for place, score in scores.by_place.items():
        for offset, share in _SHARES:
            flowing[place + offset] += share * score
            sessions[place + offset] = scores.sessions[place]
    return {place: score + SESSION_WEIGHT * scores.by_session[sessions[place]] for place, score in flowing.items()}


class _Judge:
    """Makes candidates of places."""

    def __init__(
        self,
        traits: Mapping[int, MessageTraits],
        scores: _Scores,
        relevance: Mapping[int, float],
        question: Question,
    ) -> None:
        self._traits = traits
        self._scores = scores
        self._relevance = relevance
        self._speaker = question.speaker
        self._speaker_weight = NAMED_WEIGHT if question.is_named else PRONOUN_WEIGHT
        start, end = (moment.timestamp() for moment in _told_of(question.period)) if question.period else (0.0, 0.0)
        self._start, self._end = start, end

    def candidate(self, place: int) -> Candidate:
        role, said_at_s, is_question, follows_question = self._traits[place]
        relevance = self._relevance.get(place, 0.0)
        if follows_question:
            relevance += FROM_QUESTION * self._scores.by_place.get(place - 1, 0.0)
        score = relevance - (QUESTION_PENALTY if is_question else 0.0)
        if role == self._speaker:
            score += self._speaker_weight
        is_in_period = self._start <= said_at_s < self._end
        if is_in_period:
            score += PERIOD_WEIGHT
        return Candidate(place, score, relevance, tuple(self._scores.matched.get(place, ())), is_in_period)


def _told_of(period: Period) -> tuple[datetime, datetime]:
    """When one would tell of what happened in a period; what is "last week" from here was said last week."""
    if period.is_relative:
        return period.start, period.end
    return period.start - BEFORE_PERIOD, period.end + AFTER_PERIOD


def _within(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those said in a period, if what is there is not much less relevant than what is elsewhere; else none."""
    inside = [one for one in candidates if one.is_in_period]
    best = max((one.relevance for one in candidates), default=0.0)
    best_inside = max((one.relevance for one in inside), default=-1.0)
    return inside if best_inside >= LEAST_IN_PERIOD * best else []
