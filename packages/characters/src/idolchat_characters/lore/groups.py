"""Inclusion groups: of entries that name the same group, one activates."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from idolchat_characters.lore.compiled import CompiledEntry
from idolchat_characters.lore.rolls import Roll

__all__ = ["GroupChoice"]

_Group = list[CompiledEntry]
_SEPARATOR = re.compile(r",\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChoice:
    """Chooses, in one round, who of each group stays.

    ``taken`` are the groups of entries that activated in earlier rounds. As in SillyTavern, a sticky member that is on
    cooldown too puts the others out and is then put out itself, and an entry that lost in one of its groups may still
    win another.
    """

    sticky: Collection[int]
    cooldown: Collection[int]
    taken: Collection[str]
    score: Callable[[CompiledEntry], int]
    scores_all: bool
    roll: Roll
    round: int

    def losers(self, entries: Sequence[CompiledEntry]) -> set[int]:
        """Find who is put out, by their places."""
        groups = _by_group(entries)
        out: set[int] = set()
        with_sticky = {name for name, group in groups.items() if self._sticky_win(group, out)}
        open_groups = {name: group for name, group in groups.items() if name not in with_sticky}
        for group in open_groups.values():
            self._score(group, out)
        for name, group in open_groups.items():
            if name in self.taken:
                out.update(member.at for member in group)
            elif len(group) > 1 and (winner := self._winner(name, group)) is not None:
                out.update(member.at for member in group if member is not winner)
        return out

    def _sticky_win(self, group: _Group, out: set[int]) -> bool:
        sticky = {member.at for member in group} & set(self.sticky)
        if sticky:
            out.update(member.at for member in group if member.at not in sticky)
        out.update(member.at for member in group if member.at in self.cooldown)
        return bool(sticky)

    def _score(self, group: _Group, out: set[int]) -> None:
        """Put out the members with fewer hits than the best, among those that are scored."""
        if not self.scores_all and not any(member.entry.score_group for member in group):
            return
        scores = {member.at: self.score(member) for member in group}
        best = max(scores.values())
        worse = {member.at for member in group if member.scores and scores[member.at] < best}
        out |= worse
        group[:] = [member for member in group if member.at not in worse]

    def _winner(self, name: str, group: _Group) -> CompiledEntry | None:
        preferred = sorted((m for m in group if m.entry.group_override), key=lambda member: -member.entry.order)
        if preferred:
            return preferred[0]
        rolled = self.roll("", name, f"group/{self.round}") * sum(member.entry.group_weight for member in group)
        reached = 0.0
        for member in group:
            reached += member.entry.group_weight
            if rolled <= reached:
                return member
        return None


def _by_group(entries: Sequence[CompiledEntry]) -> Mapping[str, _Group]:
    """Collect the members of each group; names that are numbers come first, as in ECMAScript's objects."""
    groups: dict[str, _Group] = {}
    for compiled in entries:
        for name in _SEPARATOR.split(compiled.entry.group):
            if name:
                groups.setdefault(name, []).append(compiled)
    numbers = sorted((name for name in groups if _is_index(name)), key=int)
    return {name: groups[name] for name in (*numbers, *(name for name in groups if not _is_index(name)))}


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10 and str(int(name)) == name
