"""Which parts of a prompt there is room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from idolchat_core.prompt.parts import MeasuredPart, PromptPart, Slot

__all__ = ["Decision", "Selection", "clipped_shares", "select_parts"]

MAX_VARYING_SHARE = 0.3
"""Of the window, for the varying parts of all sources together: a fifth for the tail, a tenth for summaries."""


_BEFORE_HISTORY = tuple(slot for slot in Slot if slot.is_before_history)
_LATE = tuple(slot for slot in Slot if not slot.is_before_history)


class Decision(NamedTuple):
    """What became of a part: its estimated tokens, whether it is in the prompt, and why not, or why elsewhere."""

    part: PromptPart
    tokens: int
    is_in: bool
    reason: str | None = None


@dataclass(slots=True)
class Selection:
    """The parts that go in, by slot in order, and what was decided of each.

    ``fixed_size`` is that of the parts in it that stay the same for a conversation, ``varying_size`` of the others.
    """

    chosen: dict[Slot, list[MeasuredPart]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    fixed_size: float = 0.0
    varying_size: float = 0.0

    def of(self, slot: Slot) -> Sequence[MeasuredPart]:
        """The parts of a slot, in order."""
        return self.chosen.get(slot, ())

    @property
    def before_history(self) -> list[MeasuredPart]:
        """What the prompt begins with, in order."""
        return self._in(_BEFORE_HISTORY)

    @property
    def late(self) -> list[MeasuredPart]:
        """What stands in the history or behind it, slot by slot."""
        return self._in(_LATE)

    def _in(self, slots: Sequence[Slot]) -> list[MeasuredPart]:
        chosen = self.chosen
        if len(chosen) > 1:
            return [part for slot in slots if slot in chosen for part in chosen[slot]]
        return [part for slot, parts in chosen.items() if slot in slots for part in parts]

    def add(self, part: MeasuredPart, tokens: float) -> None:
        """Add a part to the prompt."""
        self.chosen.setdefault(part.part.slot, []).append(part)
        self.chosen[part.part.slot].sort(key=lambda one: one.part.order)
        self.count(part)
        self.decisions.append(Decision(part.part, round(tokens), True))

    def refuse(self, part: MeasuredPart, tokens: float, *, reason: str) -> None:
        """Record that a part stays out."""
        self.decisions.append(Decision(part.part, round(tokens), False, reason))

    def leave_out(self, slot: Slot, *, reason: str) -> None:
        """Leave out all parts of a slot after all."""
        gone = {id(one.part) for one in self.chosen.pop(slot, ())}
        self.fixed_size = self.varying_size = 0.0
        for left in self.chosen.values():
            for part in left:
                self.count(part)
        self.decisions = [
            Decision(one.part, one.tokens, False, reason) if id(one.part) in gone else one for one in self.decisions
        ]

    def count(self, part: MeasuredPart) -> None:
        """Add the size of a part that came in."""
        if part.part.stability == "conversation":
            self.fixed_size += part.size
        else:
            self.varying_size += part.size


def clipped_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """Scale shares of the window down where together they are too large."""
    if not shares:
        return {}
    total = sum(shares.values())
    factor = MAX_VARYING_SHARE / total if total > MAX_VARYING_SHARE else 1.0
    return {name: share * factor if share > 0.0 else 0.0 for name, share in shares.items()}


def select_parts(
    parts: Sequence[MeasuredPart],
    *,
    budgets: Mapping[str, float],
    tokens_of: Callable[[float], float],
    keeps_slots: bool,
) -> Selection:
    """Choose the parts that fit their source's budget, in tokens, highest priority first.

    Parts that stay the same for a conversation are not limited here: they are fixed cost. With ``keeps_slots``, a
    varying part stays in front of the history where its source put it.
    """
    selection = Selection()
    if not parts:
        return selection
    left = dict(budgets)
    placed: list[tuple[int, int, MeasuredPart]] = []
    varying: list[tuple[int, MeasuredPart]] = []
    for place, one in enumerate(parts):
        if one.part.stability != "conversation":
            varying.append((place, one))
            continue
        placed.append((one.part.order, place, one))
        selection.fixed_size += one.size
        selection.decisions.append(Decision(one.part, round(tokens_of(one.size)), True))
    for place, one in sorted(varying, key=_by_importance) if len(varying) > 1 else varying:
        part, tokens, reason = one.part, tokens_of(one.size), None
        if part.priority is not None and tokens > left.get(part.source, 0.0):
            selection.refuse(one, tokens, reason=f"over the budget of {part.source}")
            continue
        left[part.source] = left.get(part.source, 0.0) - tokens
        if part.stability == "turn" and part.slot.is_before_history and not keeps_slots:
            reason = f"moved from {part.slot}: it varies from turn to turn"
            part = part._replace(slot=Slot.TAIL)
            one = one._replace(part=part)
        placed.append((part.order, place, one))
        selection.varying_size += one.size
        selection.decisions.append(Decision(part, round(tokens), True, reason))
    placed.sort(key=itemgetter(0, 1))
    for _, _, one in placed:
        selection.chosen.setdefault(one.part.slot, []).append(one)
    return selection


def _by_importance(numbered: tuple[int, MeasuredPart]) -> tuple[Any, ...]:
    place, (part, *_) = numbered
    return (part.priority is not None, -(part.priority or 0), part.order, place)
