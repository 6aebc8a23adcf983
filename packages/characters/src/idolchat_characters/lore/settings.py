"""How lorebooks are scanned, where neither a book nor an entry says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["LIMITS", "Limits", "LoreSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoreSettings:
    """The settings of a scan; the defaults are those that SillyTavern 1.19 is delivered with.

    ``scan_depth`` is in messages. The budget is ``budget_percent`` of the context window, at most
    ``budget_cap_tokens`` (0: no cap). 0 ``max_recursion_steps`` is no limit but that of ``Limits``.
    """

    scan_depth: int = 2
    budget_percent: float = 25
    budget_cap_tokens: int = 0
    recursive: bool = True
    max_recursion_steps: int = 0
    min_activations: int = 0
    min_activations_max_depth: int = 0
    whole_words: bool = True
    case_sensitive: bool = False
    score_groups: bool = False
    include_names: bool = True
    strategy: Literal["character_first", "global_first", "evenly"] = "character_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a scan takes at most, whatever the books say.

    ``rounds`` are those begun for the contents of entries, ``judgements`` how often an entry is looked at.
    ``work_chars`` counts the characters that patterns and keys with macros are searched for in, over a whole scan.
    """

    entries: int = 2_000
    keys: int = 20_000
    key_chars: int = 500
    scan_chars: int = 65_536
    scan_messages: int = 1_000
    rounds: int = 64
    judgements: int = 250_000
    work_chars: int = 64 * 1024 * 1024


LIMITS = Limits()
