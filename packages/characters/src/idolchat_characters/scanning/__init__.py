"""The lore of a conversation: which books are scanned in it, kept compiled, and what it remembers along a branch."""

from idolchat_characters.scanning.branch_states import BranchStates, branch_of
from idolchat_characters.scanning.compiled_books import CompiledBooks, compiled_of
from idolchat_characters.scanning.scanner import LoreScanner, LoreTurn, Said

__all__ = [
    "BranchStates",
    "CompiledBooks",
    "LoreScanner",
    "LoreTurn",
    "Said",
    "branch_of",
    "compiled_of",
    "lore_settings",
]
