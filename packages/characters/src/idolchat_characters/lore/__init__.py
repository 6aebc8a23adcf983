"""Lorebooks: which entries of which books come into the prompt of a turn.

``read_book`` reads the JSON of a book, ``compile_lore`` makes books ready, ``scan`` finds what activates in a turn,
``place`` puts it in order, ``explain`` tells why. Nothing here does input or output.
"""

from idolchat_characters.lore.books import Book, Problem
from idolchat_characters.lore.compiled import CompiledLore, LoreBooks, compile_lore
from idolchat_characters.lore.entries import CharacterFilter, Dialect, Entry, Position, Role, ScanField, SecondaryLogic
from idolchat_characters.lore.explain import Explanation, explain
from idolchat_characters.lore.outcomes import Activation, Reason, ScanResult
from idolchat_characters.lore.placement import DepthGroup, Placement, place
from idolchat_characters.lore.reading import read_book
from idolchat_characters.lore.rolls import Roll, SeededRolls
from idolchat_characters.lore.scan import scan
from idolchat_characters.lore.scan_input import ChatLine, ScanInput
from idolchat_characters.lore.settings import LIMITS, Limits, LoreSettings
from idolchat_characters.lore.state import BranchState, Effect, extend, replay

__all__ = [
    "LIMITS",
    "Activation",
    "Book",
    "BranchState",
    "CharacterFilter",
    "ChatLine",
    "CompiledLore",
    "DepthGroup",
    "Dialect",
    "Effect",
    "Entry",
    "Explanation",
    "Limits",
    "LoreBooks",
    "LoreSettings",
    "Placement",
    "Position",
    "Problem",
    "Reason",
    "Role",
    "Roll",
    "ScanField",
    "ScanInput",
    "ScanResult",
    "SecondaryLogic",
    "SeededRolls",
    "compile_lore",
    "explain",
    "extend",
    "place",
    "read_book",
    "replay",
    "scan",
]
