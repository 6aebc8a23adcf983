"""What a scan is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from idolchat_characters.lore.entries import ScanField
from idolchat_characters.lore.rolls import Roll
from idolchat_characters.lore.state import BranchState

__all__ = ["ChatLine", "ScanInput"]


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A message as it is scanned: who said it, and what."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInput:
    """One turn to scan for.

    ``messages`` are oldest first; the newest ``CompiledLore.messages_needed`` are enough, because ``state`` says how
    many there are on the branch. ``trigger`` is ``normal``, ``continue``, ``impersonate``, ``swipe``, ``regenerate`` or
    ``quiet``. ``injections`` are further texts of the prompt that are to be scanned. ``greeting`` is the index of the
    first message that was chosen. ``substitute`` resolves macros in keys and contents.
    """

    messages: Sequence[ChatLine]
    state: BranchState
    context_window: int
    roll: Roll
    count_tokens: Callable[[str], float]
    substitute: Callable[[str], str] = str
    trigger: str = "normal"
    character_name: str = ""
    character_tags: frozenset[str] = frozenset()
    fields: Mapping[ScanField, str] = field(default_factory=dict)
    injections: Sequence[str] = ()
    greeting: int | None = None
