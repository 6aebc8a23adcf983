"""The parts of a prompt that a card gives, besides its lore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from idolchat_characters.character import Character
from idolchat_characters.macros import MacroContext, expand
from idolchat_characters.prompt.examples import example_blocks
from idolchat_core import PromptPart, Slot

__all__ = ["DESCRIPTION", "PERSONALITY", "SCENARIO", "late_parts", "prefix_parts"]

DESCRIPTION, PERSONALITY, SCENARIO = 0, 10, 20
"""The order of the fields of a card; lore stands between them."""

DEFAULT_DEPTH = 4
HIGHEST_PRIORITY = 1_000_000


def prefix_parts(character: Character, prefix: MacroContext, *, source: str) -> Iterator[PromptPart]:
    """Make the parts of a card and of a persona that begin the prompts of a conversation. Empty ones are left out."""
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


def late_parts(character: Character, prefix: MacroContext, tail: MacroContext, *, source: str) -> Iterator[PromptPart]:
    """Make the parts of a card that stand at the end of a prompt, or near it, and may tell of the turn."""
    yield from _depth_prompt(character, prefix, tail, source)
    yield from _late(source, "post_history_instructions", character.post_history_instructions, prefix, tail)


def _labelled(label: str, text: str) -> str:
    return f"{label}{text}" if text.strip() else ""


def _examples(character: Character, prefix: MacroContext, source: str) -> Iterator[PromptPart]:
    text = expand(character.mes_example, prefix)
    for number, block in enumerate(example_blocks(text, user=prefix.user, char=prefix.char)):
        yield PromptPart(source, f"example/{number}", "[Example Chat]", Slot.EXAMPLES)
        for place, message in enumerate(block):
            key = f"example/{number}/{place}"
            yield PromptPart(source, key, message.text, Slot.EXAMPLES, name=message.speaker)


def _depth_prompt(character: Character, prefix: MacroContext, tail: MacroContext, source: str) -> Iterator[PromptPart]:
    """Make the character's note (SillyTavern's ``extensions.depth_prompt``), so many messages before the end."""
    note = character.extensions.get("depth_prompt")
    if not isinstance(note, Mapping):
        return
    text, depth, role = note.get("prompt"), note.get("depth"), note.get("role")
    given = depth if isinstance(depth, int) and depth >= 0 else DEFAULT_DEPTH
    speaker = cast("Literal['system', 'user', 'assistant']", role if role in ("user", "assistant") else "system")
    place: dict[str, Any] = {"slot": Slot.HISTORY, "depth": given, "role": speaker}
    yield from _late(source, "depth_prompt", text if isinstance(text, str) else "", prefix, tail, **place)


def _late(
    source: str,
    key: str,
    template: str,
    prefix: MacroContext,
    tail: MacroContext,
    *,
    slot: Slot = Slot.POST_HISTORY,
    **place: Any,
) -> Iterator[PromptPart]:
    """Make a part behind the history, which may tell of this turn; it varies only where it does."""
    content = expand(template, tail).strip()
    if not content:
        return
    if content == expand(template, prefix).strip():
        yield PromptPart(source, key, content, slot, **place)
    else:
        yield PromptPart(source, key, content, slot, stability="turn", priority=HIGHEST_PRIORITY, **place)
