"""The history of a turn as lore sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from idolchat_characters.message_text import message_text
from idolchat_characters.scanning import Said
from idolchat_core import PromptTurn

__all__ = ["SaidInTurn"]


class SaidInTurn(Sequence[Said]):
    """The messages of a turn's history; each is looked at when it is asked for, as a scan needs few of them."""

    def __init__(self, turn: PromptTurn) -> None:
        self._history = turn.history

    def __len__(self) -> int:
        return len(self._history)

    @overload
    def __getitem__(self, at: int) -> Said: ...
    @overload
    def __getitem__(self, at: slice) -> list[Said]: ...
    def __getitem__(self, at: int | slice) -> Said | list[Said]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        entry = self._history[at]
        return Said(entry.id, entry.role, lambda: message_text(entry.sent.get("content")), entry.character_id)
