"""What others call: resolve the macros of a text, and find the names that are no macro."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from idolchat_characters.macros.chance import CHANCE
from idolchat_characters.macros.context import MacroContext
from idolchat_characters.macros.expansion import Expansion
from idolchat_characters.macros.parsing import Condition, Macro, Node, parse
from idolchat_characters.macros.texts import TEXTS
from idolchat_characters.macros.times import TIMES
from idolchat_characters.macros.variables import VARIABLES

__all__ = ["MACRO_NAMES", "expand", "tells_of_turn", "unknown_macros"]

_HANDLERS = {**TEXTS, **CHANCE, **TIMES, **VARIABLES}
MACRO_NAMES = frozenset(_HANDLERS) | {"if", "else", "/if"}
"""The names of all macros, in lower case; upper and lower case are the same."""


_FIELDS: Final = frozenset(
    {
        "description", "chardescription", "personality", "charpersonality", "scenario", "charscenario", "persona",
        "mesexamples", "mesexamplesraw", "charprompt", "charinstruction", "charjailbreak",
    }
)  # fmt: skip
_LASTING: Final = _FIELDS | VARIABLES.keys() | {
    "char", "user", "group", "groupnotmuted", "charifnotgroup", "notchar", "charversion", "char_version", "original",
    "model", "maxprompt", "maxprompttokens", "newline", "space", "noop", "trim", "//", "comment", "hidden_key",
    "reverse", "pick",
}  # fmt: skip
"""Macros that give the same in all turns of a conversation, where what they are nested with does."""


def tells_of_turn(template: str, context: MacroContext) -> bool:
    """Return whether a text may come out another in the next turn of a conversation, at the end of the prompt."""
    if "{" not in template and "<" not in template:
        return False
    names = set(_names(parse(template)))
    if names & _FIELDS:
        names |= {name for field in _fields_of(context) for name in _names(parse(field))}
    return not (names & MACRO_NAMES) <= _LASTING


def _fields_of(context: MacroContext) -> tuple[str, ...]:
    return (
        context.description,
        context.personality,
        context.scenario,
        context.persona,
        context.examples,
        context.system_prompt,
        context.post_history_instructions,
    )


def expand(template: str, context: MacroContext) -> str:
    """Resolve the macros of a text that an author wrote: a card, a persona, a lorebook, a preset.

    Never give it what a user or a model said: that is text. The same template and context give the same result. What
    is unknown stays as it is written, with what is nested in it resolved.
    """
    return Expansion(context, _HANDLERS).template(template)


def unknown_macros(template: str) -> tuple[str, ...]:
    """Find the names in a text that look like macros and are none, each once, in order."""
    return tuple(dict.fromkeys(name for name in _names(parse(template)) if name and name not in MACRO_NAMES))


def _names(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Macro):
            yield node.name
            yield from _names(node.inside)
        elif isinstance(node, Condition):
            yield from _names((node.opening, *node.then, *node.otherwise))
