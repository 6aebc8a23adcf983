"""Lexical ranking: BM25 over messages and over whole sessions, with scores that flow between neighbours.

BM25 is that of Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with the idf of Lucene. Every
word of the question counts once in a message: by itself, or by that word of like meaning which gives most. The weights
are round figures, near the best for three conversations of LoCoMo and not at it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

from idolchat_core import (
    FOLLOWS_QUESTION,
    IS_OF_CHARACTER,
    IS_QUESTION,
    PLACES_PER_SESSION,
    TRAIT_BITS,
    WEIGHT_BITS,
    MessageTraits,
    Posting,
    ScopeReader,
)
from idolchat_memory.recall.periods import Period
from idolchat_memory.recall.question import Question
from idolchat_memory.recall.thesaurus import Thesaurus
from idolchat_memory.terms import stem

__all__ = ["MAX_CANDIDATES", "Candidate", "Ranking", "idf", "rank"]

K1, B = 0.9, 0.4
TO_NEXT, TO_SECOND, TO_PREVIOUS = 0.5, 0.15, 0.2
"""How much of a message's score flows to the two after it and to the one before."""
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
MAX_FLOWING = 600
MAX_CANDIDATES = 300
MAX_IN_PERIOD = 200
LEAST_IN_PERIOD = 0.5
"""What is found in the period must be this good beside the best elsewhere, or the period is not kept to."""
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_WEIGHT = (1 << WEIGHT_BITS) - 1
_SESSION_BITS = WEIGHT_BITS + (PLACES_PER_SESSION - 1).bit_length()


class Candidate(NamedTuple):
    """A place whose message may answer. ``relevance`` is what its words and those around it are worth; ``score`` adds
    who said it and when. The best is the greatest; of equals, the newest."""

    score: float
    place: int
    relevance: float
    is_in_period: bool


class Ranking(NamedTuple):
    """Candidates, best first; ``keeps_to_period`` says that only those of the question's period are among them.

    ``weights`` is the idf of each word of the question, and ``found`` where each stands, or one of like meaning.
    """

    candidates: Sequence[Candidate]
    keeps_to_period: bool
    weights: Mapping[str, float]
    found: Mapping[str, Mapping[int, float]]

    def matched(self, place: int) -> tuple[str, ...]:
        """List the words of the question that a message has, or others of like meaning."""
        return tuple([word for word, places in self.found.items() if place in places])


class _Scores(NamedTuple):
    by_place: Mapping[int, float]
    by_session: Mapping[int, float]
    weights: Mapping[str, float]
    found: Mapping[str, Mapping[int, float]]


def rank(reader: ScopeReader, question: Question, thesaurus: Thesaurus, *, most: int = MAX_CANDIDATES) -> Ranking:
    """Rank the messages that may answer a question: so many at ``most``, and those of the period that it names."""
    scores = _score_words(reader, question.words, thesaurus)
    relevance = _flow(scores)
    places = sorted(relevance, key=relevance.__getitem__, reverse=True)[:most]
    if question.period:
        start, end = _told_of(question.period)
        places += [place for place in reader.places_between(start, end, limit=MAX_IN_PERIOD) if place not in relevance]
    candidates = _judged(places, reader.traits(places), scores.by_place, relevance, question)
    candidates.sort(reverse=True)
    kept = _within(candidates) if question.period and question.period.is_relative else []
    return Ranking(kept or candidates, bool(kept), scores.weights, scores.found)


def idf(message_count: int, containing: int, others: int = OTHER_MESSAGES) -> float:
    """Weigh a term by how few of the messages contain it, among so many ``others`` that do not."""
    return math.log(1 + (message_count + others - containing + 0.5) / (containing + 0.5))


def _score_words(reader: ScopeReader, words: Mapping[str, float], thesaurus: Thesaurus) -> _Scores:
    stems = {word: stem(word) for word in words}
    near = {word: thesaurus.near(word) for word in words}
    own = dict.fromkeys(stems.values())
    others = {term for found in near.values() for term, _ in found} - own.keys()
    postings = dict(reader.postings(list(own), limit=MAX_POSTINGS))
    postings |= reader.postings_of_many(sorted(others), limit=MAX_NEAR_POSTINGS)
    bm25 = _Bm25(reader, postings)
    by_place: dict[int, float] = {}
    by_session: defaultdict[int, float] = defaultdict(float)
    found_at: dict[str, Mapping[int, float]] = {}
    counted: dict[str, Sequence[_Counted]] = {}
    for word, weight in words.items():
        found_at[word], counted[word] = bm25.best_messages([(stems[word], 1.0), *near[word]])
        known = by_place.get
        for place, score in found_at[word].items():
            by_place[place] = known(place, 0.0) + weight * score
    bm25.read_lengths(counted.values())
    for word, weight in words.items():
        for session, score in bm25.best_sessions(counted[word]).items():
            by_session[session] += weight * score
    weights = {word: idf(bm25.message_count, len(postings.get(stems[word], ()))) for word in words}
    return _Scores(by_place, by_session, weights, found_at)


type _Counted = tuple[float, Mapping[int, int]]
"""The share of a term, and how often it occurs in each session that has it."""


class _Parts(dict[int, tuple[float, int]]):
    """For what a posting says beside its place: the part of the score that depends on that, and the term's count."""

    def __init__(self, by_length: float) -> None:
        self._by_length = by_length

    def __missing__(self, weight: int) -> tuple[float, int]:
        count, length = weight & 0xF, weight >> 4
        found = self[weight] = count / (count + K1 * (1 - B) + self._by_length * length), count
        return found


class _Bm25:
    """The scores of a word, from postings that are read already."""

    def __init__(self, reader: ScopeReader, postings: Mapping[str, Sequence[Posting]]) -> None:
        self._reader = reader
        self._postings = postings
        self._session_lengths: Mapping[int, int] = {}
        self.message_count, self._session_count, length = reader.statistics()
        self._parts = _Parts(K1 * B / max(length / max(self.message_count, 1), 1.0))
        self._by_session_length = K1 * B / max(length / max(self._session_count, 1), 1.0)

    def best_messages(self, terms: Sequence[tuple[str, float]]) -> tuple[dict[int, float], list[_Counted]]:
        """Score messages, each by that term which gives most; a term counts for a share from 0 to 1."""
        best: dict[int, float] = {}
        counted: list[_Counted] = []
        known, parts = best.get, self._parts
        for term, share in terms:
            found = self._postings.get(term)
            if not found:
                continue
            weight = share * (K1 + 1) * idf(self.message_count, len(found))
            counts: dict[int, int] = {}
            current, total = -1, 0  # postings of one session mostly follow each other
            for posting in found:  # written out, as it is most of what a question costs
                place = posting >> WEIGHT_BITS
                part, count = parts[posting & _WEIGHT]
                score = weight * part
                if score > known(place, 0.0):
                    best[place] = score
                session = posting >> _SESSION_BITS
                if session == current:
                    total += count
                    continue
                if total:
                    counts[current] = counts.get(current, 0) + total
                current, total = session, count
            counts[current] = counts.get(current, 0) + total
            counted.append((share, counts))
        return best, counted

    def read_lengths(self, counted: Iterable[Sequence[_Counted]]) -> None:
        """Read the lengths of the sessions that are to be scored."""
        sessions = {session for terms in counted for _, counts in terms for session in counts}
        self._session_lengths = self._reader.session_lengths(sessions)

    def best_sessions(self, counted: Sequence[_Counted]) -> dict[int, float]:
        """Score sessions, each by that term which gives most."""
        best: dict[int, float] = {}
        known, lengths, fixed, by_length = best.get, self._session_lengths, K1 * (1 - B), self._by_session_length
        for share, counts in counted:
            weight = share * (K1 + 1) * idf(self._session_count, len(counts), OTHER_SESSIONS)
            for session, count in counts.items():
                score = weight * count / (count + fixed + by_length * lengths[session])
                if score > known(session, 0.0):
                    best[session] = score
        return best


def _flow(scores: _Scores) -> dict[int, float]:
    """Add to each place what flows from its neighbours, and what its session is worth.

    Only the best flow. A place without a message may come out too; it is left out when rows are read.
    """
    worth = {session: SESSION_WEIGHT * score for session, score in scores.by_session.items()}
    flowing: dict[int, float] = {}
    known = flowing.get
    for place, score in _best(scores.by_place, MAX_FLOWING):
        base = worth[place // PLACES_PER_SESSION]
        # Written out, as it is much of what a question costs.
        flowing[place] = known(place, base) + score
        flowing[place + 1] = known(place + 1, base) + TO_NEXT * score
        flowing[place + 2] = known(place + 2, base) + TO_SECOND * score
        flowing[place - 1] = known(place - 1, base) + TO_PREVIOUS * score
    return flowing


def _best(scores: Mapping[int, float], count: int) -> Iterable[tuple[int, float]]:
    if len(scores) <= count:
        return scores.items()
    return sorted(scores.items(), key=itemgetter(1), reverse=True)[:count]


def _judged(
    places: Iterable[int],
    traits: Mapping[int, MessageTraits],
    by_place: Mapping[int, float],
    relevance: Mapping[int, float],
    question: Question,
) -> list[Candidate]:
    """Make candidates of places where there is a message."""
    weight = NAMED_WEIGHT if question.is_named else PRONOUN_WEIGHT
    of_user, of_character = (weight * (question.speaker == role) for role in ("user", "assistant"))
    start, end = (_microseconds(moment) for moment in _told_of(question.period)) if question.period else (0, 0)
    candidates = []
    for place in places:
        found = traits.get(place)
        if found is None:
            continue
        worth = relevance.get(place, 0.0)
        if found & FOLLOWS_QUESTION:
            worth += FROM_QUESTION * by_place.get(place - 1, 0.0)
        score = worth + (of_character if found & IS_OF_CHARACTER else of_user)
        if found & IS_QUESTION:
            score -= QUESTION_PENALTY
        is_in_period = start <= found >> TRAIT_BITS < end
        if is_in_period:
            score += PERIOD_WEIGHT
        candidates.append(Candidate(score, place, worth, is_in_period))
    return candidates


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


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
