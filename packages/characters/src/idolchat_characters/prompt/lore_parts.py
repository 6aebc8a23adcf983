"""The entries of lorebooks, put in their places in a prompt."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from idolchat_characters.lore import Activation, Position, ScanResult, place
from idolchat_characters.prompt.card_parts import DESCRIPTION, PERSONALITY, SCENARIO
from idolchat_core import PromptPart, PromptTurn, Slot

__all__ = ["lore_parts", "outlets"]

_NOTE = {"slot": Slot.HISTORY, "depth": 4}
_WHERE: Mapping[Position | None, Mapping[str, Any]] = {
    Position.BEFORE_CHARACTER: {"slot": Slot.CHARACTER, "order": DESCRIPTION - 10},
    Position.BEFORE_DESCRIPTION: {"slot": Slot.CHARACTER, "order": DESCRIPTION - 5},
    Position.AFTER_DESCRIPTION: {"slot": Slot.CHARACTER, "order": DESCRIPTION + 5},
    Position.PERSONALITY: {"slot": Slot.CHARACTER, "order": PERSONALITY + 5},
    Position.SCENARIO: {"slot": Slot.CHARACTER, "order": SCENARIO + 5},
    Position.AFTER_CHARACTER: {"slot": Slot.CHARACTER, "order": SCENARIO + 10},
    Position.BEFORE_EXAMPLES: {"slot": Slot.EXAMPLES, "order": -1},
    Position.AFTER_EXAMPLES: {"slot": Slot.EXAMPLES, "order": 1},
    Position.NOTE_TOP: _NOTE,
    Position.NOTE_BOTTOM: _NOTE,
}
"""Where parts stand in the prompt; core moves those in front of the history, which vary, to its end."""


def lore_parts(
    result: ScanResult, turn: PromptTurn, *, source: str, character_id: UUID, servers: Container[str]
) -> Iterator[PromptPart]:
    """Put the entries that activated in their places, each as a part that says why it is there.

    ``servers`` are the ids of the server's books, whose keys and names users do not see.
    """
    placed = place(result.activations)
    part = partial(_part, source=source, own=str(character_id), servers=servers)
    shown = [one for activations in placed.at.values() for one in activations]
    for one in (*shown, *placed.examples):
        if (where := _WHERE.get(one.entry.position)) is not None:
            yield part(one, **where)
    for group in placed.depths:
        is_from_start = group.position is Position.FROM_START
        depth = max(0, len(turn.in_window) - group.depth) if is_from_start else max(0, group.depth)
        for one in group.activations:
            yield part(one, slot=Slot.HISTORY, depth=depth, role=group.role)


def outlets(result: ScanResult) -> Mapping[str, str]:
    """Return the texts of entries that stand where ``{{outlet::name}}`` asks for them, by name."""
    placed = place(result.activations).outlets
    return {name: "\n".join(one.content for one in activations) for name, activations in placed.items()}


def _part(activation: Activation, *, source: str, own: str, servers: Container[str], **where: Any) -> PromptPart:
    entry = activation.entry
    why: dict[str, Any] = {"reason": activation.reason.value, "recursion": activation.recursion}
    if entry.book in servers:
        why["book"] = "server"
    else:
        why |= {"key": activation.key} if activation.key is not None else {}
        why |= {"entry": entry.name} if entry.name else {}
    return PromptPart(
        source=source,
        key=f"lore/{entry.uid}" if entry.book == own else f"lore/{entry.key}",
        content=activation.content,
        stability="turn",
        priority=round(entry.order if entry.priority is None else entry.priority) + (100_000 if entry.constant else 0),
        why=why,
        **where,
    )
