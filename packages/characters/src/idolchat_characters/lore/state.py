"""What a lorebook remembers along a branch: a pure function of the branch, never part of the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

__all__ = ["BranchState", "Effect", "extend", "replay"]


class Effect(NamedTuple):
    """A sticky or a cooldown: from message ``start`` until before message ``end``, counted along the branch.

    ``digest`` is that of the entry as it was; one that is ``protected`` stays although the branch did not grow.
    """

    digest: str
    start: int
    end: int
    protected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchState:
    """The state at a message: how many there are, how many of the character, and the effects that last.

    ``sticky`` and ``cooldown`` are by ``book.uid``; ``matched`` names the entries whose decorators ask whether they
    have matched before. The state of a conversation without messages is ``BranchState()``.
    """

    messages: int = 0
    replies: int = 0
    sticky: Mapping[str, Effect] = field(default_factory=dict)
    cooldown: Mapping[str, Effect] = field(default_factory=dict)
    matched: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Any]:
        """Write the state as JSON, to be kept as derived data."""
        return {
            "messages": self.messages,
            "replies": self.replies,
            "sticky": {name: list(effect) for name, effect in self.sticky.items()},
            "cooldown": {name: list(effect) for name, effect in self.cooldown.items()},
            "matched": sorted(self.matched),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> BranchState:
        """Read what ``to_json`` wrote. Raises ``ValueError`` for anything else: the state is to be replayed then."""
        try:
            return cls(
                messages=int(raw["messages"]),
                replies=int(raw["replies"]),
                sticky={str(name): _effect(effect) for name, effect in raw["sticky"].items()},
                cooldown={str(name): _effect(effect) for name, effect in raw["cooldown"].items()},
                matched=frozenset(str(name) for name in raw["matched"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"no state of a branch: {error!r}") from error


def _effect(raw: Sequence[Any]) -> Effect:
    digest, start, end, protected = raw
    return Effect(str(digest), int(start), int(end), bool(protected))


def extend(state: BranchState, role: str) -> BranchState:
    """Add a message of a role to a branch; before a reply, the state is that of the scan made for it."""
    return replace(state, messages=state.messages + 1, replies=state.replies + (role == "assistant"))


def replay(roles: Sequence[str], scan: Callable[[BranchState, int], BranchState]) -> BranchState:
    """Make the state of a branch from its root, out of the roles of its messages, oldest first.

    ``scan(state, count)`` repeats the scan that was made for the reply after the first ``count`` messages. A turn that
    extends its parent's state comes to the same.
    """
    state = BranchState()
    for at, role in enumerate(roles):
        if role == "assistant" and at and roles[at - 1] == "user":
            state = scan(state, at)
        state = extend(state, role)
    return state
