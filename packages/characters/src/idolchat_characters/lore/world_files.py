"""Reads entries of SillyTavern's world files, and of V2 books as SillyTavern imports them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from idolchat_characters.lore.coercion import mapping, number, text, truth, whole, words
from idolchat_characters.lore.decorators import sillytavern_decorators
from idolchat_characters.lore.entries import CharacterFilter, Dialect, Entry, Position, Role, ScanField, SecondaryLogic

__all__ = ["converted", "digest_of", "world_entry"]

_POSITIONS = {
    0: Position.BEFORE_CHARACTER,
    1: Position.AFTER_CHARACTER,
    2: Position.NOTE_TOP,
    3: Position.NOTE_BOTTOM,
    4: Position.AT_DEPTH,
    5: Position.BEFORE_EXAMPLES,
    6: Position.AFTER_EXAMPLES,
    7: Position.OUTLET,
}
_ROLES: Mapping[int, Role] = {0: "system", 1: "user", 2: "assistant"}
_SCAN_FIELDS = {
    "matchPersonaDescription": ScanField.PERSONA,
    "matchCharacterDescription": ScanField.DESCRIPTION,
    "matchCharacterPersonality": ScanField.PERSONALITY,
    "matchCharacterDepthPrompt": ScanField.DEPTH_PROMPT,
    "matchScenario": ScanField.SCENARIO,
    "matchCreatorNotes": ScanField.CREATOR_NOTES,
}
_EXTENSIONS = {
    "excludeRecursion": "exclude_recursion",
    "preventRecursion": "prevent_recursion",
    "delayUntilRecursion": "delay_until_recursion",
    "probability": "probability",
    "useProbability": "useProbability",
    "depth": "depth",
    "selectiveLogic": "selectiveLogic",
    "group": "group",
    "groupOverride": "group_override",
    "groupWeight": "group_weight",
    "scanDepth": "scan_depth",
    "caseSensitive": "case_sensitive",
    "matchWholeWords": "match_whole_words",
    "useGroupScoring": "use_group_scoring",
    "role": "role",
    "sticky": "sticky",
    "cooldown": "cooldown",
    "delay": "delay",
    "matchPersonaDescription": "match_persona_description",
    "matchCharacterDescription": "match_character_description",
    "matchCharacterPersonality": "match_character_personality",
    "matchCharacterDepthPrompt": "match_character_depth_prompt",
    "matchScenario": "match_scenario",
    "matchCreatorNotes": "match_creator_notes",
    "triggers": "triggers",
    "ignoreBudget": "ignore_budget",
    "outletName": "outlet_name",
}


def converted(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Write an entry of a V2 book as SillyTavern imports it: its own extensions count, ``case_sensitive`` does not."""
    extensions = mapping(raw.get("extensions"))
    own = {name: extensions[theirs] for name, theirs in _EXTENSIONS.items() if extensions.get(theirs) is not None}
    position = extensions.get("position")
    return {
        **own,
        "key": raw.get("keys"),
        "keysecondary": raw.get("secondary_keys"),
        "comment": raw.get("comment"),
        "content": raw.get("content"),
        "constant": raw.get("constant", False),
        "selective": raw.get("selective", False),
        "order": raw.get("insertion_order"),
        "position": (0 if raw.get("position") == "before_char" else 1) if position is None else position,
        "disable": not raw.get("enabled", True),
    }


def world_entry(values: Mapping[str, Any], raw: Mapping[str, Any], *, book: str, uid: str, digest: str) -> Entry:
    """Read an entry from the fields of a world file; ``raw`` is kept as what it was read from."""
    forced, content = sillytavern_decorators(text(values.get("content")))
    level = values.get("delayUntilRecursion")
    return Entry(
        book=book,
        uid=uid,
        raw=raw,
        digest=digest,
        dialect=Dialect.SILLYTAVERN,
        name=text(values.get("comment")),
        content=content,
        forced=forced,
        enabled=not truth(values.get("disable"), default=False),
        constant=truth(values.get("constant"), default=False),
        keys=words(values.get("key")),
        secondary_keys=words(values.get("keysecondary")),
        selective=truth(values.get("selective"), default=True),
        logic=_logic(values.get("selectiveLogic")),
        case_sensitive=truth(values.get("caseSensitive"), default=None),
        whole_words=truth(values.get("matchWholeWords"), default=None),
        scan_depth=whole(values.get("scanDepth"), None),
        scan_fields=tuple(field for name, field in _SCAN_FIELDS.items() if truth(values.get(name), default=False)),
        triggers=frozenset(words(values.get("triggers"))),
        characters=_characters(mapping(values.get("characterFilter"))),
        order=number(values.get("order"), 100),
        position=_POSITIONS.get(whole(values.get("position"), 0)),
        depth=whole(values.get("depth"), 4),
        role=_ROLES.get(whole(values.get("role"), 0), "system"),
        outlet=text(values.get("outletName")),
        probability=_probability(values),
        group=text(values.get("group")),
        group_override=truth(values.get("groupOverride"), default=False),
        group_weight=number(values.get("groupWeight"), 100),
        score_group=truth(values.get("useGroupScoring"), default=None),
        sticky=whole(values.get("sticky"), 0),
        cooldown=whole(values.get("cooldown"), 0),
        delay=whole(values.get("delay"), 0),
        delay_level=whole(level, 0),
        exclude_recursion=truth(values.get("excludeRecursion"), default=False),
        prevent_recursion=truth(values.get("preventRecursion"), default=False),
        ignore_budget=truth(values.get("ignoreBudget"), default=False),
    )


def digest_of(raw: Mapping[str, Any]) -> str:
    """Make a short word that changes with anything in an entry.

    Where a field is nested too deep to be written, the fields that are lists or objects do not count.
    """
    try:
        canonical = json.dumps(raw, sort_keys=True)
    except RecursionError:
        simple = {name: value for name, value in raw.items() if not isinstance(value, list | dict)}
        canonical = json.dumps(simple, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _logic(value: Any) -> SecondaryLogic:
    try:
        return SecondaryLogic(whole(value, 0))
    except ValueError:
        return SecondaryLogic.AND_ANY


def _probability(values: Mapping[str, Any]) -> float | None:
    probability = number(values.get("probability"), 100)
    return None if probability == 100 or not truth(values.get("useProbability"), default=True) else probability


def _characters(raw: Mapping[str, Any]) -> CharacterFilter:
    return CharacterFilter(
        names=frozenset(words(raw.get("names"))),
        tags=frozenset(words(raw.get("tags"))),
        exclude=truth(raw.get("isExclude"), default=False),
    )
