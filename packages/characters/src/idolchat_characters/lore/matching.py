"""Whether an entry activates in one round of a scan, and how well its keys match."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from idolchat_characters.lore.compiled import CompiledEntry
from idolchat_characters.lore.entries import SecondaryLogic
from idolchat_characters.lore.keys import Key
from idolchat_characters.lore.outcomes import Reason
from idolchat_characters.lore.state import BranchState
from idolchat_characters.lore.texts import ScanTexts
from idolchat_characters.lore.timed import TimedEffects

__all__ = ["Round", "Verdict", "judge", "score"]


class Verdict(NamedTuple):
    """Whether an entry activates, why or why not, and by which key."""

    activates: bool
    reason: Reason
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One loop over the entries.

    ``depth`` is how many messages are looked at where an entry does not say; ``is_recursion`` whether it was begun for
    the contents of entries, ``reads_recursed`` whether it looks at them; ``level`` is the delay level reached.
    """

    number: int
    recursion: int
    depth: int
    is_recursion: bool
    reads_recursed: bool
    level: int


def judge(compiled: CompiledEntry, turn: Round, texts: ScanTexts, effects: TimedEffects, state: BranchState) -> Verdict:
    """Decide whether an entry activates in a round; rolls, groups and budget come later."""
    entry = compiled.entry
    is_sticky = compiled.at in effects.sticky
    if not is_sticky and (reason := _held_back(compiled, turn)) is not None:
        return Verdict(activates=False, reason=reason)
    if entry.forced is not None:
        return Verdict(entry.forced, Reason.FORCED if entry.forced else Reason.FORCED_OFF)
    if entry.keep_after_match and entry.key in state.matched:
        return Verdict(activates=True, reason=Reason.KEPT)
    if entry.constant:
        return Verdict(activates=True, reason=Reason.CONSTANT)
    if is_sticky:
        return Verdict(activates=True, reason=Reason.STICKY)
    return _by_keys(compiled, _matcher(compiled, turn, texts))


def score(compiled: CompiledEntry, turn: Round, texts: ScanTexts) -> int:
    """Count the keys of an entry that match, to choose between the members of a group."""
    matches = _matcher(compiled, turn, texts)
    if not compiled.keys:
        return 0
    primary, secondary = (
        sum(scored.always or matches(scored) for key in keys for scored in (key.scored_as or key,))
        for keys in (compiled.keys, compiled.secondary_keys)
    )
    match compiled.entry.logic:
        case SecondaryLogic.AND_ANY:
            return primary + secondary
        case SecondaryLogic.AND_ALL if secondary == len(compiled.secondary_keys):
            return primary + secondary
    return primary


def _held_back(compiled: CompiledEntry, turn: Round) -> Reason | None:
    entry = compiled.entry
    if entry.delay_level and (not turn.is_recursion or entry.delay_level > turn.level):
        return Reason.WAITS_FOR_RECURSION
    if turn.is_recursion and entry.exclude_recursion and compiled.recursive:
        return Reason.EXCLUDES_RECURSION
    return None


def _matcher(compiled: CompiledEntry, turn: Round, texts: ScanTexts) -> Callable[[Key], bool]:
    depth = turn.depth if compiled.depth is None else compiled.depth
    return lambda key: texts.matches(key, compiled, depth, recursed=turn.reads_recursed)


def _by_keys(compiled: CompiledEntry, matches: Callable[[Key], bool]) -> Verdict:
    if not compiled.keys:
        return Verdict(activates=False, reason=Reason.NO_KEYS)
    key = next(filter(matches, compiled.keys), None)
    if key is None:
        return Verdict(activates=False, reason=Reason.NO_MATCH)
    if any(map(matches, compiled.exclude_keys)):
        return Verdict(activates=False, reason=Reason.EXCLUDED_BY_KEY, key=key.text)
    if compiled.additional_keys and not any(map(matches, compiled.additional_keys)):
        return Verdict(activates=False, reason=Reason.SECONDARY_KEYS, key=key.text)
    if compiled.entry.selective and compiled.secondary_keys:
        secondary = map(matches, compiled.secondary_keys)
        if not _LOGIC[compiled.entry.logic](secondary):
            return Verdict(activates=False, reason=Reason.SECONDARY_KEYS, key=key.text)
    return Verdict(activates=True, reason=Reason.KEY, key=key.text)


_LOGIC: dict[SecondaryLogic, Callable[[Iterable[bool]], bool]] = {
    SecondaryLogic.AND_ANY: any,
    SecondaryLogic.NOT_ALL: lambda secondary: not all(secondary),
    SecondaryLogic.NOT_ANY: lambda secondary: not any(secondary),
    SecondaryLogic.AND_ALL: all,
}
