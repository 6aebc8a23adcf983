"""Compiled books, scanned for a turn of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from uuid import UUID

from idolchat_characters.character import Character
from idolchat_characters.lore import (
    BranchState,
    ChatLine,
    CompiledLore,
    Entry,
    LoreSettings,
    ScanField,
    ScanInput,
    ScanResult,
    SeededRolls,
    scan,
)
from idolchat_characters.macros import MacroContext, expand
from idolchat_characters.settings import CharactersSettings
from idolchat_core import StoredId

__all__ = ["LoreScanner", "LoreTurn", "RandomScope", "Said", "lore_settings"]

type RandomScope = Literal["turn", "conversation"]


def lore_settings(settings: CharactersSettings) -> LoreSettings:
    """Return how books are scanned where neither they nor their entries say so."""
    return LoreSettings(
        scan_depth=settings.lore_scan_depth,
        budget_percent=settings.lore_budget_percent,
        budget_cap_tokens=settings.lore_budget_cap_tokens,
        recursive=settings.lore_recursive,
        max_recursion_steps=settings.lore_max_recursion_steps,
        min_activations=settings.lore_min_activations,
        min_activations_max_depth=settings.lore_min_activations_max_depth,
        whole_words=settings.lore_whole_words,
        case_sensitive=settings.lore_case_sensitive,
        score_groups=settings.lore_score_groups,
        include_names=settings.lore_include_names,
        strategy=settings.lore_strategy,
    )


class Said(NamedTuple):
    """A message of a branch as lore sees it; ``text`` is read when it is needed.

    ``character_id`` says whose a reply is in a conversation of several characters.
    """

    id: StoredId
    role: str
    text: Callable[[], str]
    character_id: StoredId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoreTurn:
    """What is scanned for: the end of a branch, up to the message that is answered, and who talks with whom.

    ``said`` is oldest first, and begins with the root where ``start`` is 0, else with about the ``start``th message.
    ``names`` are those of several characters; a reply of any other is of the one who speaks now.
    """

    conversation_id: UUID
    said: Sequence[Said]
    start: int
    character: Character
    context: MacroContext
    trigger: str
    window_tokens: int
    count: Callable[[str], float]
    names: Mapping[StoredId, str] = field(default_factory=dict)

    def line(self, said: Said) -> ChatLine:
        """Return a message as it is scanned."""
        if said.role == "user":
            return ChatLine(self.context.user, said.text())
        name = self.names.get(said.character_id) if said.character_id is not None else None
        return ChatLine(name or self.context.char, said.text())

    @property
    def has_root(self) -> bool:
        """Whether the whole branch is here."""
        return self.start == 0


class LoreScanner:
    """Books made ready, and what is known of them; may be shared by threads."""

    def __init__(self, lore: CompiledLore, random_scope: RandomScope = "turn") -> None:
        self.lore = lore
        self._random_scope = random_scope
        self.key_count = sum(len(compiled.keys) for compiled in lore.entries)
        self.remembers = any(_remembers(compiled.entry) for compiled in lore.entries)
        """Whether what activates depends on more of the branch than the messages that are scanned."""
        self._fields = frozenset(one for compiled in lore.entries for one in compiled.entry.scan_fields)

    def scan(self, turn: LoreTurn, state: BranchState) -> ScanResult:
        """Find the entries that activate in a turn."""
        return scan(self.lore, self.input(turn, state))

    def input(self, turn: LoreTurn, state: BranchState, *, count: int | None = None) -> ScanInput:
        """Make the input of the scan for the reply after the first ``count`` messages (None: after all)."""
        end = len(turn.said) if count is None else count
        read = turn.said[max(0, end - self.lore.messages_needed) : end] if self.lore.messages_needed else ()
        context = turn.context
        return ScanInput(
            messages=[turn.line(said) for said in read],
            state=state,
            context_window=turn.window_tokens,
            roll=SeededRolls(
                conversation_id=str(turn.conversation_id),
                turn_id=str(turn.said[end - 1].id if end else ""),
                scope=self._random_scope,
            ),
            count_tokens=turn.count,
            substitute=lambda text: expand(text, context) if "{" in text or "<" in text else text,
            trigger=turn.trigger,
            character_name=turn.character.name,
            character_tags=frozenset(turn.character.tags),
            fields=_texts(turn.character, context, self._fields) if self._fields else {},
        )


def _remembers(entry: Entry) -> bool:
    is_timed = entry.sticky or entry.cooldown or entry.delay
    by_count = entry.only_after or entry.only_every > 1
    return bool(is_timed or by_count or entry.keep_after_match or entry.mute_after_match)


def _texts(character: Character, context: MacroContext, fields: Set[ScanField]) -> dict[ScanField, str]:
    """Return the texts beside the messages that some entry is looked for in, their macros resolved."""
    note = character.extensions.get("depth_prompt")
    prompt = note.get("prompt") if isinstance(note, dict) else None
    texts = {
        ScanField.PERSONA: context.persona,
        ScanField.DESCRIPTION: character.description,
        ScanField.PERSONALITY: character.personality,
        ScanField.SCENARIO: character.scenario,
        ScanField.CREATOR_NOTES: character.creator_notes,
        ScanField.DEPTH_PROMPT: prompt if isinstance(prompt, str) else "",
    }
    return {one: expand(text, context) for one, text in texts.items() if text and one in fields}
