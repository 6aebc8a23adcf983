"""How many tokens the entries may take together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from idolchat_characters.lore.compiled import CompiledLore
from idolchat_characters.lore.entries import Dialect, Entry
from idolchat_characters.lore.scan_input import ScanInput
from idolchat_characters.lore.settings import LoreSettings

__all__ = ["Budget", "dropped_by_priority", "token_limit"]


def token_limit(settings: LoreSettings, context_window: int) -> int:
    """Count the tokens that the settings allow: a share of the window, at least 1, at most the cap."""
    limit = math.floor(settings.budget_percent * context_window / 100 + 0.5) or 1
    cap = settings.budget_cap_tokens
    return min(limit, cap) if cap > 0 else limit


class Budget:
    """The budget of SillyTavern's dialect: when an entry would reach it, it and all later ones stay out.

    The tokens counted are those of the texts that recursion reads, and of the contents of the present round.
    """

    def __init__(self, settings: LoreSettings, turn: ScanInput) -> None:
        self._limit = token_limit(settings, turn.context_window)
        self._count = turn.count_tokens
        self._recursed = ""
        self._before = 0.0
        self._new = ""
        self.is_over = False

    def limits(self, entry: Entry) -> bool:
        """Whether the budget holds for an entry."""
        return entry.dialect is Dialect.SILLYTAVERN and not entry.ignore_budget

    def begin_round(self) -> None:
        """Count what came in earlier rounds."""
        self._new = ""
        if not self.is_over:
            self._before = self._count(self._recursed)

    def add_recursed(self, text: str) -> None:
        """Add what an earlier round gave to recursion."""
        if not self.is_over:
            self._recursed = f"{text}\n{self._recursed}"

    def admits(self, entry: Entry, content: str) -> bool:
        """Whether there is room for an entry; where there is none, the budget is over from here on."""
        if entry.dialect is not Dialect.SILLYTAVERN:
            return True
        self._new += f"{content}\n"
        if self.limits(entry) and self._before + self._count(self._new) >= self._limit:
            self.is_over = True
            return False
        return True


def dropped_by_priority(lore: CompiledLore, turn: ScanInput, entries: Sequence[Entry]) -> set[int]:
    """Find the entries of V3 books that do not fit their book's budget, lowest priority first, by their places.

    A book without ``token_budget`` has that of the settings. An entry without ``priority`` goes by its order.
    """
    dropped: set[int] = set()
    by_book: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.dialect is Dialect.V3:
            by_book.setdefault(entry.book, []).append(entry)
    for book, members in by_book.items():
        own = lore.books[book].token_budget
        left = token_limit(lore.settings, turn.context_window) if own is None else own
        sizes = {entry.key: turn.count_tokens(entry.content) for entry in members}
        left_over = sum(sizes.values()) - left
        for entry in sorted(members, key=_worth):
            if left_over <= 0:
                break
            left_over -= sizes[entry.key]
            dropped.add(lore.by_name[entry.key])
    return dropped


def _worth(entry: Entry) -> tuple[bool, float, float]:
    priority = entry.order if entry.priority is None else entry.priority
    return (not entry.leaves_first, priority, entry.order)
