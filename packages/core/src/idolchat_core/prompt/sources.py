"""The contract of prompt sources: plugins that have something to say in a prompt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal, NamedTuple
from uuid import UUID

from idolchat_core.models import StoredId
from idolchat_core.prompt.budget import clipped_shares
from idolchat_core.prompt.entry import Entry
from idolchat_core.prompt.parts import PromptPart

__all__ = ["Generation", "HistoryWindow", "PromptSource", "PromptSources", "PromptTurn"]

type Generation = Literal["normal", "regenerate", "continue"]


class PromptTurn(NamedTuple):
    """The turn that a prompt is built for.

    ``history`` is the loaded end of the active branch, oldest first, up to the message that is answered, without those
    that were deleted; a reply that is continued stands behind it. The prompt
    before this one began with the message ``cut``, and None means with the first. ``window_tokens`` is what the model
    can read, ``budget_tokens`` what this source's varying parts may take, and ``count`` estimates the tokens of a text.
    ``reading`` is another number once the branch was read again from the storage: whoever keeps in memory what rests on
    a conversation sees to it then that it still does. ``next_character_id`` is the character who speaks, of the
    ``character_ids`` where there are several; ``persona_id`` is whom the user plays.
    """

    conversation_id: UUID
    turn_id: UUID
    user_message_id: StoredId
    user_id: StoredId | None
    character_id: StoredId | None
    next_character_id: StoredId | None
    character_ids: Sequence[StoredId]
    persona_id: StoredId | None
    model: str | None
    generation: Generation
    history: Sequence[Entry]
    cut: StoredId | None
    reading: int
    started_at: datetime
    window_tokens: int
    budget_tokens: int
    count: Callable[[str], int]

    @property
    def in_window(self) -> Sequence[Entry]:
        """The part of the history that the prompt holds anyway, unless its beginning moves now."""
        start = next((place for place, entry in enumerate(self.history) if entry.id == self.cut), 0)
        return self.history[start:]

    def with_budget(self, tokens: int) -> PromptTurn:
        """Return the turn as a source sees it whose varying parts may take so many tokens."""
        return PromptTurn(*self[:-2], tokens, self.count)  # a third of what ``_replace`` costs


class HistoryWindow(NamedTuple):
    """What a prompt that was built holds of the history.

    It ``begins_with`` this message; None: with the first of the branch. When the next cut is near, ``next_cut`` is the
    message that the history is likely to begin with then: a summary of all before it is of use soon.
    """

    turn: PromptTurn
    begins_with: StoredId | None
    next_cut: StoredId | None


class PromptSource(ABC):
    """Says what else a prompt should hold: a character, lore, memories, a summary.

    A factory registered in ``idolchat_register_prompt_sources`` takes the open ``Services`` and returns an async
    context manager that gives one of these. A source that raises or takes longer than 250 ms costs its parts, never
    the turn; ``GET /turns/{id}/prompt`` tells of it.
    """

    name: ClassVar[str]
    """Named in parts, explanations and logs."""

    max_share: ClassVar[float] = 0.0
    """The share of the window, 0 to 0.2, for parts that vary.

    It is reserved whole at every turn, so that the history's beginning does not move when they do.
    """

    def is_silent(self, turn: PromptTurn) -> bool:
        """Whether it has nothing to say in a turn, if that is known without waiting: ``parts`` is not asked for then.

        It must be quick, and False where it is not sure. ``budget_tokens`` is 0 here. What it raises costs its parts.
        """
        return False

    @abstractmethod
    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        """Return the parts for a turn, each with this source's name; none where there is nothing to say."""

    def built(self, window: HistoryWindow) -> None:  # noqa: B027  most have no use for it
        """Called with what a prompt holds of the history, before it is sent, where that was cut or soon will be.

        It must be quick; what it raises is logged. A source that does not override it costs a turn nothing.
        """


class PromptSources:
    """The sources of an engine in order, and what of them is the same for all turns.

    ``shares`` of the window are each source's by name, scaled down to what all may have, and ``reserved_share`` is
    their sum. Those ``listening`` are told of prompts that were built.
    """

    def __init__(self, sources: Sequence[PromptSource] = ()) -> None:
        self.all = tuple(sources)
        self.shares = clipped_shares({source.name: source.max_share for source in sources})
        self.reserved_share = sum(self.shares.values())
        self.listening = [one for one in sources if type(one).built is not PromptSource.built]
        self._last: tuple[float, Mapping[str, float]] = (0.0, {})

    def budgets(self, window_tokens: float) -> Mapping[str, float]:
        """Return how many tokens of a window the varying parts of each source may take."""
        known, budgets = self._last
        if known != window_tokens:
            budgets = {name: share * window_tokens for name, share in self.shares.items()}
            self._last = window_tokens, budgets
        return budgets
