"""Tells of every entry whether it activated, by what, where it goes and what it costs, or why it did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idolchat_characters.lore.compiled import CompiledLore
from idolchat_characters.lore.entries import Entry, Position
from idolchat_characters.lore.gates import closed_by
from idolchat_characters.lore.outcomes import Activation, Reason, ScanResult
from idolchat_characters.lore.scan_input import ScanInput
from idolchat_characters.lore.timed import TimedEffects

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a scan made of one entry.

    ``round``, ``recursion``, ``key``, ``position``, ``depth``, ``role`` and ``tokens`` are those of an entry that
    activated. ``problems`` says which of its keys can never match.
    """

    book: str
    uid: str
    name: str
    activated: bool
    reason: Reason
    key: str | None = None
    round: int | None = None
    recursion: int | None = None
    position: Position | None = None
    depth: int | None = None
    role: str | None = None
    outlet: str | None = None
    order: float
    tokens: float | None = None
    problems: tuple[str, ...] = ()


def explain(lore: CompiledLore, turn: ScanInput, result: ScanResult) -> tuple[Explanation, ...]:
    """Explain the result of a scan, for every entry in the order in which they were looked at.

    ``result`` is what ``scan(lore, turn)`` gave.
    """
    effects = TimedEffects(lore, turn.state)
    activations = {activation.entry.key: activation for activation in result.activations}
    told: list[Explanation] = []
    for compiled in lore.entries:
        entry = compiled.entry
        keys = (*compiled.keys, *compiled.secondary_keys, *compiled.additional_keys, *compiled.exclude_keys)
        problems = tuple(key.problem.text for key in keys if key.problem is not None)
        if (activation := activations.get(entry.key)) is not None:
            told.append(_activated(activation, turn.count_tokens, problems))
            continue
        reason = result.reasons.get(entry.key) or closed_by(compiled, turn, effects)
        told.append(_left(entry, reason or _far(entry), problems))
    return (*told, *(_left(entry, Reason.TOO_MANY_ENTRIES, ()) for entry in lore.left_out))


def _activated(activation: Activation, count: Callable[[str], float], problems: tuple[str, ...]) -> Explanation:
    entry = activation.entry
    has_depth = entry.position in {Position.AT_DEPTH, Position.FROM_START}
    return Explanation(
        book=entry.book,
        uid=entry.uid,
        name=entry.name,
        activated=True,
        reason=activation.reason,
        key=activation.key,
        round=activation.round,
        recursion=activation.recursion,
        position=entry.position,
        depth=entry.depth if has_depth else None,
        role=entry.role if has_depth else None,
        outlet=entry.outlet if entry.position is Position.OUTLET else None,
        order=entry.order,
        tokens=count(activation.content),
        problems=problems,
    )


def _far(entry: Entry) -> Reason:
    """Name why an entry that may activate did not, when none of its keys was found anywhere."""
    if entry.delay_level:
        return Reason.WAITS_FOR_RECURSION
    if entry.forced is False:
        return Reason.FORCED_OFF
    return Reason.NO_MATCH if entry.keys else Reason.NO_KEYS


def _left(entry: Entry, reason: Reason, problems: tuple[str, ...]) -> Explanation:
    return Explanation(
        book=entry.book,
        uid=entry.uid,
        name=entry.name,
        activated=False,
        reason=reason,
        order=entry.order,
        problems=problems,
    )
