"""What became of the entries in a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from idolchat_characters.lore.entries import Entry
from idolchat_characters.lore.state import BranchState

__all__ = ["Activation", "Reason", "ScanResult"]


class Reason(StrEnum):
    """Why an entry activated or did not. The words are stable: programs may rest on them."""

    KEY = "key"
    CONSTANT = "constant"
    STICKY = "sticky"
    FORCED = "forced"
    KEPT = "kept"

    DISABLED = "disabled"
    TRIGGER = "trigger"
    CHARACTER_FILTER = "character_filter"
    DELAY = "delay"
    COOLDOWN = "cooldown"
    TOO_EARLY = "too_early"
    NOT_THIS_REPLY = "not_this_reply"
    GREETING = "greeting"
    MATCHED_BEFORE = "matched_before"
    FORCED_OFF = "forced_off"
    WAITS_FOR_RECURSION = "waits_for_recursion"
    EXCLUDES_RECURSION = "excludes_recursion"
    NO_KEYS = "no_keys"
    NO_MATCH = "no_match"
    SECONDARY_KEYS = "secondary_keys"
    EXCLUDED_BY_KEY = "excluded_by_key"
    GROUP = "group"
    PROBABILITY = "probability"
    BUDGET = "budget"
    PRIORITY = "priority"
    TOO_MANY_ENTRIES = "too_many_entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """An entry that activated, its content with macros resolved, and what set it off.

    ``round`` counts the loops of the scan from 1; ``recursion`` those among them that read contents of other entries.
    ``key`` is the primary key that matched, for reason ``key``.
    """

    entry: Entry
    content: str
    reason: Reason
    round: int
    recursion: int
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """What a scan found: entries in the order of activation, why others were left, the state after it.

    ``reasons`` is by ``book.uid`` and names those that came near; an explanation knows them all. ``is_cut`` says that
    there was more text than is scanned, ``ran_out`` that patterns had more to search than is allowed, and
    ``was_ended`` that the scan was ended before it was done.
    """

    activations: tuple[Activation, ...]
    reasons: Mapping[str, Reason]
    state: BranchState
    disabled_prompts: frozenset[str] = frozenset()
    is_cut: bool = False
    ran_out: bool = False
    was_ended: bool = False
