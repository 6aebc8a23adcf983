"""Scans of random books, as SillyTavern 1.19.0's own scan made them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from idolchat_characters.lore import (
    BranchState,
    ChatLine,
    CompiledLore,
    LoreBooks,
    LoreSettings,
    Placement,
    Position,
    ScanField,
    ScanInput,
    compile_lore,
    place,
    read_book,
    scan,
)
from idolchat_characters.lore.outcomes import Activation

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases/sillytavern.jsonl").read_text().splitlines()]
SETTINGS = {
    "depth": "scan_depth",
    "budget": "budget_percent",
    "budget_cap": "budget_cap_tokens",
    "recursive": "recursive",
    "max_recursion_steps": "max_recursion_steps",
    "min_activations": "min_activations",
    "min_activations_depth_max": "min_activations_max_depth",
    "match_whole_words": "whole_words",
    "case_sensitive": "case_sensitive",
    "use_group_scoring": "score_groups",
}
FIELDS = {
    "personaDescription": ScanField.PERSONA,
    "characterDescription": ScanField.DESCRIPTION,
    "characterPersonality": ScanField.PERSONALITY,
    "characterDepthPrompt": ScanField.DEPTH_PROMPT,
    "scenario": ScanField.SCENARIO,
    "creatorNotes": ScanField.CREATOR_NOTES,
}
ROLES = {"system": 0, "user": 1, "assistant": 2}


class Rolls:
    """The rolls that SillyTavern was given: a linear congruential generator, going on over all chats of a case."""

    def __init__(self, seed: float) -> None:
        self._seed = seed
        self.calls = 0

    def __call__(self, book: str, entry: str, purpose: str) -> float:
        self.calls += 1
        self._seed = math.fmod(self._seed * 1103515245.0 + 12345.0, 2147483648.0)
        return self._seed / 2147483648.0


@pytest.mark.parametrize("case", [c for c in CASES if "splice_quirk" not in c], ids=lambda case: str(case["id"]))
def test_every_scan_is_the_one_that_sillytavern_makes(case: dict[str, Any]) -> None:
    lore = _lore(case)
    rolls = Rolls(case["seed"])
    state = BranchState()

    for chat, expected in zip(case["chats"], case["expected"], strict=True):
        rolls.calls = 0
        result = scan(lore, _turn(case, chat, state, rolls))
        state = result.state

        seen = {**_shown(result.activations, place(result.activations)), "calls": rolls.calls, "timed": _timed(state)}
        assert {name: value for name, value in seen.items() if value} == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_the_newest_messages_that_a_scan_asks_for_are_enough(case: dict[str, Any]) -> None:
    lore = _lore(case)

    for chat in case["chats"]:
        whole = _turn(case, chat, BranchState(), Rolls(1))
        newest = replace(whole, messages=whole.messages[-lore.messages_needed or len(chat) :], roll=Rolls(1))
        assert scan(lore, newest) == scan(lore, whole)


def _lore(case: dict[str, Any]) -> CompiledLore:
    settings = LoreSettings(
        include_names=False, **{ours: case["settings"][theirs] for theirs, ours in SETTINGS.items()}
    )
    entries = {str(entry["uid"]): entry for entry in case["entries"]}
    return compile_lore(LoreBooks(character=[read_book({"entries": entries}, book_id="book")]), settings)


def _turn(case: dict[str, Any], chat: list[int], state: BranchState, rolls: Rolls) -> ScanInput:
    return ScanInput(
        messages=[ChatLine("", case["messages"][at]) for at in chat],
        state=replace(state, messages=len(chat)),
        context_window=case["max_context"],
        roll=rolls,
        count_tokens=lambda text: math.ceil(len(text) / 3.35),
        trigger=case["scan"]["trigger"],
        fields={field: case["scan"].get(name, "") for name, field in FIELDS.items()},
    )


def _shown(activations: tuple[Activation, ...], placed: Placement) -> dict[str, Any]:
    return {
        "activated": [int(activation.entry.uid) for activation in activations],
        "before": placed.text(Position.BEFORE_CHARACTER),
        "after": placed.text(Position.AFTER_CHARACTER),
        "em": [
            {"position": int(a.entry.position is Position.AFTER_EXAMPLES), "content": a.content}
            for a in placed.examples
        ],
        "depth": [
            {"depth": group.depth, "entries": [a.content for a in group.activations], "role": ROLES[group.role]}
            for group in placed.depths
        ],
        "anTop": [a.content for a in placed.at[Position.NOTE_TOP]],
        "anBottom": [a.content for a in placed.at[Position.NOTE_BOTTOM]],
        "outlets": {name: [a.content for a in members] for name, members in placed.outlets.items()},
    }


def _timed(state: BranchState) -> dict[str, Any]:
    effects = {"sticky": state.sticky, "cooldown": state.cooldown}
    shown = {
        kind: {name.removeprefix("book."): [e.start, e.end, e.protected] for name, e in held.items()}
        for kind, held in effects.items()
    }
    return shown if any(shown.values()) else {}
