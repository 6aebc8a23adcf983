"""Which parts of a prompt there is room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from idolchat_core.llm.token_estimator import message_size
from idolchat_core.prompt.parts import PromptPart, Slot

__all__ = ["Decision", "Selection", "clipped_shares", "select_parts"]

MAX_VARYING_SHARE = 0.3
"""Of the window, for the varying parts of all sources together: a fifth for the tail, a tenth for summaries."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a part: its estimated tokens, whether it is in the prompt, and why not, or why elsewhere."""

    part: PromptPart
    tokens: int
    is_in: bool
    reason: str | None = None


@dataclass(slots=True)
class Selection:
    """The parts that go in, by slot in order, and what was decided of each."""

    chosen: dict[Slot, list[PromptPart]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)

    def of(self, slot: Slot) -> Sequence[PromptPart]:
        """The parts of a slot, in order."""
        return self.chosen.get(slot, ())

    @property
    def before_history(self) -> list[PromptPart]:
        """What the prompt begins with, in order."""
        return [part for slot in Slot if slot.is_before_history for part in self.of(slot)]

    def add(self, part: PromptPart, tokens: float) -> None:
        """Add a part to the prompt."""
        self.chosen.setdefault(part.slot, []).append(part)
        self.chosen[part.slot].sort(key=lambda one: one.order)
        self.decisions.append(Decision(part, round(tokens), True))

    def refuse(self, part: PromptPart, tokens: float, *, reason: str) -> None:
        """Record that a part stays out."""
        self.decisions.append(Decision(part, round(tokens), False, reason))

    def leave_out(self, slot: Slot, *, reason: str) -> None:
        """Leave out all parts of a slot after all."""
        gone = set(map(id, self.chosen.pop(slot, ())))
        self.decisions = [
            Decision(one.part, one.tokens, False, reason) if id(one.part) in gone else one for one in self.decisions
        ]


def clipped_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """Scale shares of the window down where together they are too large."""
    total = sum(shares.values())
    factor = min(1.0, MAX_VARYING_SHARE / total) if total else 1.0
    return {name: max(0.0, share) * factor for name, share in shares.items()}


def select_parts(
    parts: Sequence[PromptPart],
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
    left = dict(budgets)
    chosen: dict[Slot, list[tuple[int, int, PromptPart]]] = {}
    for place, part in sorted(enumerate(parts), key=_by_importance):
        tokens = tokens_of(message_size(part.sent))
        reason = None
        if part.stability != "conversation":
            if part.priority is not None and tokens > left.get(part.source, 0.0):
                reason = f"over the budget of {part.source}"
                selection.decisions.append(Decision(part, round(tokens), False, reason))
                continue
            left[part.source] = left.get(part.source, 0.0) - tokens
        if part.stability == "turn" and part.slot.is_before_history and not keeps_slots:
            reason = f"moved from {part.slot}: it varies from turn to turn"
            part = part._replace(slot=Slot.TAIL)
        chosen.setdefault(part.slot, []).append((part.order, place, part))
        selection.decisions.append(Decision(part, round(tokens), True, reason))
    for slot, ordered in chosen.items():
        selection.chosen[slot] = [part for _, _, part in sorted(ordered, key=lambda one: one[:2])]
    return selection


def _by_importance(numbered: tuple[int, PromptPart]) -> tuple[Any, ...]:
    place, part = numbered
    return (part.priority is not None, -(part.priority or 0), part.order, place)
