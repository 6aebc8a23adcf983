"""The parts of a prompt that a card gives, besides its lore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from idolchat_characters.character import Character
from idolchat_characters.macros import MacroContext, expand, tells_of_turn
from idolchat_characters.prompt.examples import example_blocks
from idolchat_core import PromptPart, Slot

__all__ = ["DESCRIPTION", "PERSONALITY", "SCENARIO", "LateText", "lasting_parts", "late_texts"]

DESCRIPTION, PERSONALITY, SCENARIO = 0, 10, 20
"""The order of the fields of a card; lore stands between them."""

DEFAULT_DEPTH = 4
HIGHEST_PRIORITY = 1_000_000


class LateText(NamedTuple):
    """A template of a card that stands behind the history, or near its end, and where."""

    key: str
    template: str
    place: Mapping[str, Any]

    def part(self, prefix: MacroContext, tail: MacroContext, *, source: str) -> PromptPart | None:
        """Make a part of it for a turn; it varies only where it comes out another than at the beginning.

        None where there is nothing to say.
        """
        content = expand(self.template, tail).strip()
        if not content:
            return None
        part = PromptPart(source, self.key, content, **self.place)
        is_lasting = content == expand(self.template, prefix).strip()
        return part if is_lasting else part._replace(stability="turn", priority=HIGHEST_PRIORITY)


def lasting_parts(character: Character, prefix: MacroContext, *, source: str) -> Iterator[PromptPart]:
    """Make the parts of a card and of a persona that are the same in all prompts of a conversation, but empty ones."""
    fields = (
        ("system_prompt", character.system_prompt, Slot.SYSTEM, 0),
        ("description", character.description, Slot.CHARACTER, DESCRIPTION),
        ("personality", _labelled("{{char}}'s personality: ", character.personality), Slot.CHARACTER, PERSONALITY),
        ("scenario", _labelled("Scenario: ", character.scenario), Slot.CHARACTER, SCENARIO),
    )
    for key, template, slot, order in fields:
        if content := expand(template, prefix).strip():
            yield PromptPart(source, key, content, slot, order=order)
    if persona := expand(prefix.persona, prefix).strip():
        yield PromptPart(source, "persona", persona, Slot.PERSONA)
    yield from _examples(character, prefix, source)
    for late in late_texts(character):
        if not tells_of_turn(late.template, prefix) and (part := late.part(prefix, prefix, source=source)) is not None:
            yield part


def late_texts(character: Character) -> Iterator[LateText]:
    """List what a card has to say at the end of a prompt, or near it."""
    note = character.extensions.get("depth_prompt")
    if isinstance(note, Mapping) and isinstance(text := note.get("prompt"), str):
        yield LateText("depth_prompt", text, _note_place(note))
    instructions = character.post_history_instructions
    yield LateText("post_history_instructions", instructions, {"slot": Slot.POST_HISTORY})


def _labelled(label: str, text: str) -> str:
    return f"{label}{text}" if text.strip() else ""


def _examples(character: Character, prefix: MacroContext, source: str) -> Iterator[PromptPart]:
    text = expand(character.mes_example, prefix)
    for number, block in enumerate(example_blocks(text, user=prefix.user, char=prefix.char)):
        yield PromptPart(source, f"example/{number}", "[Example Chat]", Slot.EXAMPLES)
        for place, message in enumerate(block):
            key = f"example/{number}/{place}"
            yield PromptPart(source, key, message.text, Slot.EXAMPLES, name=message.speaker)


def _note_place(note: Mapping[str, Any]) -> Mapping[str, Any]:
    """Place the character's note (SillyTavern's ``extensions.depth_prompt``), so many messages before the end."""
    depth, role = note.get("depth"), note.get("role")
    given = depth if isinstance(depth, int) and depth >= 0 else DEFAULT_DEPTH
    return {"slot": Slot.HISTORY, "depth": given, "role": role if role in ("user", "assistant") else "system"}
