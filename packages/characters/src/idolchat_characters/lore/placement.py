"""Where the activated entries go in the prompt, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from idolchat_characters.lore.entries import Position, Role
from idolchat_characters.lore.outcomes import Activation

__all__ = ["DepthGroup", "Placement", "place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthGroup:
    """Entries that become one message: of a role, ``depth`` messages from the end (or from the start) of the chat."""

    position: Position
    depth: int
    role: Role
    activations: tuple[Activation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The activated entries by place, each list in the order of the prompt; those without content are left out.

    ``at`` has the places that are no depth and no outlet; ``examples`` are those before and after the example messages
    in one list, as they were ordered together.
    """

    at: Mapping[Position, tuple[Activation, ...]]
    examples: tuple[Activation, ...]
    depths: tuple[DepthGroup, ...]
    outlets: Mapping[str, tuple[Activation, ...]]

    def text(self, position: Position) -> str:
        """Join the contents at a place, one below the other."""
        return "\n".join(activation.content for activation in self.at.get(position, ()))


_AT_DEPTHS = frozenset({Position.AT_DEPTH, Position.FROM_START})
_AT_EXAMPLES = frozenset({Position.BEFORE_EXAMPLES, Position.AFTER_EXAMPLES})


def place(activations: Sequence[Activation]) -> Placement:
    """Put activated entries in their places.

    A higher order comes later in the prompt, and of equal ones the first to activate comes last; in an outlet it is
    the other way round. Groups at depths are in descending order of their first entry.
    """
    shown = [activation for activation in activations if activation.content]
    descending = sorted(shown, key=lambda activation: -activation.entry.order)
    ascending = descending[::-1]
    at: dict[Position, tuple[Activation, ...]] = {}
    for position in Position:
        if position not in _AT_DEPTHS and position is not Position.OUTLET:
            at[position] = tuple(a for a in ascending if a.entry.position is position)
    return Placement(
        at=at,
        examples=tuple(a for a in ascending if a.entry.position in _AT_EXAMPLES),
        depths=_depths(descending),
        outlets=_outlets(descending),
    )


def _depths(descending: Sequence[Activation]) -> tuple[DepthGroup, ...]:
    groups: dict[tuple[Position, int, Role], list[Activation]] = {}
    for activation in descending:
        entry = activation.entry
        if entry.position is not None and entry.position in _AT_DEPTHS:
            groups.setdefault((entry.position, entry.depth, entry.role), []).insert(0, activation)
    return tuple(
        DepthGroup(position=position, depth=depth, role=role, activations=tuple(members))
        for (position, depth, role), members in groups.items()
    )


def _outlets(descending: Sequence[Activation]) -> dict[str, tuple[Activation, ...]]:
    outlets: dict[str, list[Activation]] = {}
    for activation in descending:
        if activation.entry.position is Position.OUTLET and activation.entry.outlet:
            outlets.setdefault(activation.entry.outlet, []).append(activation)
    return {name: tuple(members) for name, members in outlets.items()}
