"""Macros such as ``{{user}}`` in what authors write: cards, personas, lorebooks and presets."""

from idolchat_characters.macros.context import MacroContext
from idolchat_characters.macros.expand import MACRO_NAMES, expand, tells_of_turn, unknown_macros
from idolchat_characters.macros.expansion import MAX_OUTPUT_CHARS
from idolchat_characters.macros.parsing import MAX_DEPTH

__all__ = [
    "MACRO_NAMES",
    "MAX_DEPTH",
    "MAX_OUTPUT_CHARS",
    "MacroContext",
    "expand",
    "tells_of_turn",
    "unknown_macros",
]
