"""Sticky, cooldown and delay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from idolchat_characters.lore.compiled import CompiledLore
from idolchat_characters.lore.entries import Entry
from idolchat_characters.lore.state import BranchState, Effect

__all__ = ["TimedEffects"]


class TimedEffects:
    """The effects that hold for one scan, and those that it leaves behind."""

    def __init__(self, lore: CompiledLore, state: BranchState) -> None:
        self._lore = lore
        self._state = state
        self._sticky = dict(state.sticky)
        self._cooldown = dict(state.cooldown)
        self.sticky: set[int] = set()
        self.cooldown: set[int] = set()
        self._settle(self._sticky, self.sticky, kind="sticky")
        self._settle(self._cooldown, self.cooldown, kind="cooldown")

    def is_delayed(self, entry: Entry) -> bool:
        """Whether there are fewer messages than the entry waits for."""
        return self._state.messages < entry.delay

    def after(self, activated: Iterable[Entry]) -> BranchState:
        """Make the state that a scan leaves: effects begin, what matched is noted."""
        matched = set(self._state.matched)
        for entry in activated:
            for kind, effects in (("sticky", self._sticky), ("cooldown", self._cooldown)):
                if _length(entry, kind) and entry.key not in effects:
                    effects[entry.key] = self._begin(entry, kind, protected=False)
            if entry.keep_after_match or entry.mute_after_match:
                matched.add(entry.key)
        return replace(self._state, sticky=self._sticky, cooldown=self._cooldown, matched=frozenset(matched))

    def _begin(self, entry: Entry, kind: str, *, protected: bool) -> Effect:
        start = self._state.messages
        return Effect(entry.digest, start, start + _length(entry, kind), protected)

    def _settle(self, effects: dict[str, Effect], active: set[int], *, kind: str) -> None:
        messages = self._state.messages
        for name, effect in list(effects.items()):
            entry = self._entry(name, effect)
            is_rolled_back = messages <= effect.start and not effect.protected
            if not is_rolled_back and messages < effect.end and (entry is None or _length(entry, kind)):
                if entry is not None:
                    active.add(self._lore.by_name[name])
                continue
            del effects[name]
            if not is_rolled_back and entry is not None and _length(entry, kind) and kind == "sticky":
                self._cool_down(entry)

    def _cool_down(self, entry: Entry) -> None:
        """Begin the cooldown of an entry whose sticky has ended."""
        if entry.cooldown:
            self._cooldown[entry.key] = self._begin(entry, "cooldown", protected=True)
            self.cooldown.add(self._lore.by_name[entry.key])

    def _entry(self, name: str, effect: Effect) -> Entry | None:
        at = self._lore.by_name.get(name)
        if at is None:
            return None
        entry = self._lore.entries[at].entry
        return entry if entry.digest == effect.digest else None


def _length(entry: Entry, kind: str) -> int:
    return entry.sticky if kind == "sticky" else entry.cooldown
