"""The lore of a turn: a character's book, scanned and put in its places."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from idolchat_characters.character import Character
from idolchat_characters.lore import (
    Activation,
    BranchState,
    ChatLine,
    CompiledLore,
    LoreBooks,
    LoreSettings,
    Position,
    ScanField,
    ScanInput,
    ScanResult,
    SeededRolls,
    compile_lore,
    extend,
    read_book,
    scan,
)
from idolchat_characters.lore.placement import place
from idolchat_characters.macros import MacroContext, expand
from idolchat_characters.prompt.card_parts import DESCRIPTION, PERSONALITY, SCENARIO
from idolchat_characters.prompt.macro_contexts import message_text
from idolchat_core import PromptPart, PromptTurn, Slot

__all__ = ["CharacterLore", "lore_parts"]

SETTINGS = LoreSettings(budget_percent=10)
MAX_STATES = 4_096
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


class CharacterLore:
    """The compiled book of one version of a character, and what it remembers of branches.

    A turn extends the state of the turn before it. Where that is not in memory any more, the state is made again from
    the loaded part of the branch.
    """

    def __init__(self, character_id: UUID, character: Character) -> None:
        book = read_book(character.character_book or {}, book_id=str(character_id))
        self.lore: CompiledLore = compile_lore(LoreBooks(character=(book,)), SETTINGS)
        self.key_count = sum(len(entry.keys) for entry in self.lore.entries)
        self._remembers = any(
            entry.entry.sticky or entry.entry.cooldown or entry.entry.keep_after_match or entry.entry.mute_after_match
            for entry in self.lore.entries
        )
        self._states: OrderedDict[tuple[UUID, object], BranchState] = OrderedDict()

    def scan(self, character: Character, turn: PromptTurn, context: MacroContext) -> ScanResult:
        """Find the entries that activate in a turn."""
        state = self._state(character, turn, context)
        result = self._scan(character, turn, context, state, len(turn.history))
        self._remember(turn.conversation_id, turn.user_message_id, result.state)
        return result

    def _scan(
        self,
        character: Character,
        turn: PromptTurn,
        context: MacroContext,
        state: BranchState,
        count: int,
    ) -> ScanResult:
        """Scan for the reply after the first ``count`` messages of the loaded branch."""
        branch = turn.history[:count]
        read = branch[-self.lore.messages_needed :] if self.lore.messages_needed else ()
        lines = [ChatLine(_name(entry.role, context), message_text(entry.sent.get("content"))) for entry in read]
        return scan(
            self.lore,
            ScanInput(
                messages=lines,
                state=state,
                context_window=turn.window_tokens,
                roll=SeededRolls(
                    conversation_id=str(turn.conversation_id), turn_id=str(branch[-1].id if branch else "")
                ),
                count_tokens=turn.count,
                substitute=lambda text: expand(text, context) if "{" in text else text,
                trigger=turn.generation,
                character_name=character.name,
                character_tags=frozenset(character.tags),
                fields=_fields(character, context),
            ),
        )

    def _state(self, character: Character, turn: PromptTurn, context: MacroContext) -> BranchState:
        """Return the state before this turn's scan, from that of an earlier turn or of the loaded branch."""
        history = turn.history
        start = history[0].position if history else 0
        if not self._remembers:
            replies = sum(entry.role == "assistant" for entry in history)
            return BranchState(messages=start + len(history), replies=start // 2 + replies)
        state, known = BranchState(messages=start, replies=start // 2), -1
        for at in range(len(history) - 2, -1, -1):
            if (held := self._states.get((turn.conversation_id, history[at].id))) is not None:
                state, known = held, at
                break
        for at in range(known + 1, len(history)):
            entry, before = history[at], history[at - 1] if at else None
            if entry.role == "assistant" and before is not None and before.role == "user" and at - 1 != known:
                earlier = replace(context, turn_id=str(before.id))
                state = self._scan(character, turn, earlier, state, at).state
                self._remember(turn.conversation_id, before.id, state)
            state = extend(state, entry.role)
        return state

    def _remember(self, conversation_id: UUID, message_id: object, state: BranchState) -> None:
        if self._remembers:
            self._states[conversation_id, message_id] = state
            if len(self._states) > MAX_STATES:
                self._states.popitem(last=False)


def lore_parts(result: ScanResult, turn: PromptTurn, *, source: str) -> Iterator[PromptPart]:
    """Put the entries that activated in their places, each as a part that says why it is there."""
    placed = place(result.activations)
    shown = [one for activations in placed.at.values() for one in activations]
    for one in (*shown, *placed.examples):
        if (where := _WHERE.get(one.entry.position)) is not None:
            yield _part(one, source, **where)
    for group in placed.depths:
        is_from_start = group.position is Position.FROM_START
        depth = max(0, len(turn.in_window) - group.depth) if is_from_start else max(0, group.depth)
        for one in group.activations:
            yield _part(one, source, slot=Slot.HISTORY, depth=depth, role=group.role)


def _part(activation: Activation, source: str, **where: Any) -> PromptPart:
    entry = activation.entry
    why: dict[str, Any] = {"reason": activation.reason.value, "recursion": activation.recursion}
    if activation.key is not None:
        why["key"] = activation.key
    if entry.name:
        why["entry"] = entry.name
    return PromptPart(
        source=source,
        key=f"lore/{entry.uid}",
        content=activation.content,
        stability="turn",
        priority=round(entry.order if entry.priority is None else entry.priority) + (100_000 if entry.constant else 0),
        why=why,
        **where,
    )


def _name(role: str, context: MacroContext) -> str:
    return context.user if role == "user" else context.char


def _fields(character: Character, context: MacroContext) -> dict[ScanField, str]:
    note = character.extensions.get("depth_prompt")
    prompt = note.get("prompt") if isinstance(note, dict) else None
    texts = {
        ScanField.DESCRIPTION: character.description,
        ScanField.PERSONALITY: character.personality,
        ScanField.SCENARIO: character.scenario,
        ScanField.CREATOR_NOTES: character.creator_notes,
        ScanField.DEPTH_PROMPT: prompt if isinstance(prompt, str) else "",
    }
    return {field: expand(text, context) for field, text in texts.items() if text}
