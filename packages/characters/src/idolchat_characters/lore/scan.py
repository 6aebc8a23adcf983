"""The scan: which entries of which books activate in a turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from itertools import islice

from idolchat_characters.lore.budget import Budget, dropped_by_priority
from idolchat_characters.lore.compiled import CompiledEntry, CompiledLore
from idolchat_characters.lore.entries import Dialect
from idolchat_characters.lore.gates import closed_by
from idolchat_characters.lore.groups import GroupChoice
from idolchat_characters.lore.matching import Round, Verdict, judge, score
from idolchat_characters.lore.outcomes import Activation, Reason, ScanResult
from idolchat_characters.lore.scan_input import ChatLine, ScanInput
from idolchat_characters.lore.settings import LIMITS
from idolchat_characters.lore.texts import ScanTexts
from idolchat_characters.lore.timed import TimedEffects

__all__ = ["scan"]


def scan(lore: CompiledLore, turn: ScanInput) -> ScanResult:
    """Find the entries that activate in a turn, as SillyTavern 1.19 does, and V3 books as their specification says.

    The same books, input and rolls give the same result. The time is bounded by ``LIMITS``, whatever the books hold.
    """
    return _Scan(lore, turn).run()


_HIDDEN_KEY = re.compile(r"\{\{\s*hidden_key\s*::?([^{}]*)\}\}", re.IGNORECASE)


class _Kind(Enum):
    INITIAL = "initial"
    RECURSION = "recursion"
    MORE_MESSAGES = "more messages"


class _Scan:
    def __init__(self, lore: CompiledLore, turn: ScanInput) -> None:
        self._lore = lore
        self._turn = turn
        self._settings = lore.settings
        self._effects = TimedEffects(lore, turn.state)
        newest_first = [
            _line(line, names=lore.settings.include_names)
            for line in islice(reversed(turn.messages), lore.messages_needed)
        ]
        self._texts = ScanTexts(lore, newest_first, turn.fields, turn.injections, turn.substitute)
        self._budget = Budget(lore.settings, turn)
        self._skew = 0
        self._rounds = 0
        self._recursions = 0
        self._judgements = 0
        self._levels = list(lore.delay_levels)
        self._level = self._levels.pop(0) if self._levels else 0
        self._activations: dict[int, Activation] = {}
        self._closed: dict[int, Reason | None] = {}
        self._failed: set[int] = set()
        self._reasons: dict[int, Reason] = {}
        matched = (lore.by_name.get(name) for name in turn.state.matched)
        self._kept = {at for at in matched if at is not None and lore.entries[at].entry.keep_after_match}

    def run(self) -> ScanResult:
        kind: _Kind | None = _Kind.INITIAL
        while kind is not None and not self._has_reached_the_end(kind):
            self._rounds += 1
            self._recursions += kind is _Kind.RECURSION
            accepted = self._round(self._round_of(kind))
            kind = self._next(kind, accepted)
            text = "\n".join(content for compiled, content in accepted if _sets_off_others(compiled))
            if kind is not None and text:
                self._texts.add_recursed(text)
                self._budget.add_recursed(text)
        return self._result(was_ended=kind is not None and self._is_at_a_limit(kind))

    def _has_reached_the_end(self, kind: _Kind) -> bool:
        steps = self._settings.max_recursion_steps
        return bool(steps and steps <= self._rounds) or self._is_at_a_limit(kind)

    def _is_at_a_limit(self, kind: _Kind) -> bool:
        too_many_rounds = kind is _Kind.RECURSION and self._recursions >= LIMITS.rounds
        return too_many_rounds or self._judgements >= LIMITS.judgements

    def _round_of(self, kind: _Kind) -> Round:
        return Round(
            number=self._rounds,
            recursion=self._recursions,
            depth=self._settings.scan_depth + self._skew,
            is_recursion=kind is _Kind.RECURSION,
            reads_recursed=kind is not _Kind.MORE_MESSAGES and self._texts.has_recursed,
            level=self._level,
        )

    def _round(self, current: Round) -> list[tuple[CompiledEntry, str]]:
        """Activate what a round finds, and give all that did not fail its roll, with their contents."""
        verdicts: dict[int, Verdict] = {}
        candidates = self._candidates()
        self._judgements += len(candidates)
        for at in candidates:
            verdict = judge(self._lore.entries[at], current, self._texts, self._effects, self._turn.state)
            if verdict.activates:
                verdicts[at] = verdict
            else:
                self._reasons[at] = verdict.reason
        ordered = sorted(verdicts, key=lambda at: (at not in self._effects.sticky, at))
        self._budget.begin_round()
        accepted: list[tuple[CompiledEntry, str]] = []
        for compiled in self._without_losers([self._lore.entries[at] for at in ordered], current):
            content = self._admit(compiled, verdicts[compiled.at], current)
            if content is not None:
                accepted.append((compiled, _with_hidden_keys(compiled, content)))
        return accepted

    def _candidates(self) -> list[int]:
        """Find the entries that may activate now: those not done with, of which a key is known to be in some text."""
        looked_at = self._lore.always | self._effects.sticky | self._kept
        found = set(looked_at).union(*(self._lore.by_number[n] for n in self._texts.found if n in self._lore.by_number))
        return [at for at in sorted(found) if not self._is_done(at)]

    def _is_done(self, at: int) -> bool:
        if at in self._activations or at in self._failed:
            return True
        if at not in self._closed:
            self._closed[at] = closed_by(self._lore.entries[at], self._turn, self._effects)
        return self._closed[at] is not None

    def _without_losers(self, entries: list[CompiledEntry], current: Round) -> list[CompiledEntry]:
        if not any(compiled.entry.group for compiled in entries):
            return entries
        choice = GroupChoice(
            sticky=self._effects.sticky,
            cooldown=self._effects.cooldown,
            taken={activation.entry.group for activation in self._activations.values()},
            score=lambda compiled: score(compiled, current, self._texts),
            scores_all=self._settings.score_groups,
            roll=self._turn.roll,
            round=current.number,
        )
        losers = choice.losers(entries)
        self._reasons.update(dict.fromkeys(losers, Reason.GROUP))
        return [compiled for compiled in entries if compiled.at not in losers]

    def _admit(self, compiled: CompiledEntry, verdict: Verdict, current: Round) -> str | None:
        """Roll an entry's probability and reserve its tokens; None when the roll failed, else its content."""
        entry = compiled.entry
        if self._budget.is_over and self._budget.limits(entry):
            self._reasons[compiled.at] = Reason.BUDGET
            return entry.content
        if not self._passes_roll(compiled):
            self._failed.add(compiled.at)
            self._reasons[compiled.at] = Reason.PROBABILITY
            return None
        content = self._turn.substitute(entry.content)
        if self._budget.admits(entry, content):
            self._activations[compiled.at] = Activation(
                entry=entry,
                content=content,
                reason=verdict.reason,
                round=current.number,
                recursion=current.recursion,
                key=verdict.key,
            )
        else:
            self._reasons[compiled.at] = Reason.BUDGET
        return content

    def _passes_roll(self, compiled: CompiledEntry) -> bool:
        entry = compiled.entry
        if entry.probability is None or compiled.at in self._effects.sticky:
            return True
        return self._turn.roll(entry.book, entry.uid, "probability") * 100 <= entry.probability

    def _next(self, kind: _Kind, accepted: Sequence[tuple[CompiledEntry, str]]) -> _Kind | None:
        """Decide how the scan goes on, if it does."""
        if not self._budget.is_over:
            if any(compiled.recursive and not compiled.entry.prevent_recursion for compiled, _ in accepted):
                return _Kind.RECURSION
            if kind is _Kind.MORE_MESSAGES and self._lore.is_recursive and self._texts.has_recursed:
                return _Kind.RECURSION
            if self._wants_more_messages():
                self._skew += 1
                return _Kind.MORE_MESSAGES
        if self._levels:
            self._level = self._levels.pop(0)
            return _Kind.RECURSION
        return None

    def _wants_more_messages(self) -> bool:
        settings, depth = self._settings, self._settings.scan_depth + self._skew
        if len(self._activations) >= settings.min_activations:
            return False
        is_too_deep = 0 < settings.min_activations_max_depth < depth
        return not is_too_deep and depth <= min(self._turn.state.messages, LIMITS.scan_messages)

    def _result(self, *, was_ended: bool) -> ScanResult:
        dropped = dropped_by_priority(self._lore, self._turn, [a.entry for a in self._activations.values()])
        for at in dropped:
            del self._activations[at]
            self._reasons[at] = Reason.PRIORITY
        activations = tuple(self._activations.values())
        reasons = {at: reason for at, reason in self._closed.items() if reason is not None} | self._reasons
        return ScanResult(
            activations=activations,
            reasons={
                self._lore.entries[at].entry.key: why for at, why in reasons.items() if at not in self._activations
            },
            state=self._effects.after(activation.entry for activation in activations),
            disabled_prompts=frozenset().union(*(activation.entry.disabled_prompts for activation in activations)),
            is_cut=self._texts.is_cut,
            ran_out=self._texts.ran_out,
            was_ended=was_ended,
        )


def _line(line: ChatLine, *, names: bool) -> str:
    return f"{line.name}: {line.text}" if names and line.name else line.text


def _with_hidden_keys(compiled: CompiledEntry, content: str) -> str:
    """Add what a V3 entry shows to recursion alone."""
    entry = compiled.entry
    hidden = _HIDDEN_KEY.findall(entry.content) if entry.dialect is Dialect.V3 else ()
    return "\n".join((content, *hidden))


def _sets_off_others(compiled: CompiledEntry) -> bool:
    """Whether the content is read by later rounds; in SillyTavern it is, even where recursion is off."""
    entry = compiled.entry
    return not entry.prevent_recursion and (compiled.recursive or entry.dialect is Dialect.SILLYTAVERN)
