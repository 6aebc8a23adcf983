from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from idolchat_characters.lore import BranchState, Position, Reason

if TYPE_CHECKING:
    from lore.conftest import MakeBook, MakeScene


def test_an_activated_entry_is_explained_by_key_round_place_and_cost(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"content": "a castle"}, {"key": ["keep", "castle"], "position": 4, "depth": 2, "role": 1}))
    told = book.explain("a dragon")

    assert (told["0"].reason, told["0"].key, told["0"].recursion, told["0"].tokens) == (Reason.KEY, "dragon", 0, 2)
    assert (told["1"].key, told["1"].round, told["1"].recursion) == ("castle", 2, 1)
    assert (told["1"].position, told["1"].depth, told["1"].role) == (Position.AT_DEPTH, 2, "user")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"disable": True}, "disabled"),
        ({"triggers": ["swipe"]}, "trigger"),
        ({"characterFilter": {"names": ["Ren"]}}, "character_filter"),
        ({"characterFilter": {"tags": ["idol"], "isExclude": True}}, "character_filter"),
        ({"delay": 9}, "delay"),
        ({"delayUntilRecursion": 1}, "waits_for_recursion"),
        ({"content": "@@dont_activate\nx"}, "forced_off"),
        ({"key": []}, "no_keys"),
        ({"key": ["castle"]}, "no_match"),
        ({"keysecondary": ["castle"]}, "secondary_keys"),
        ({"probability": 0}, "probability"),
        ({"group": "g"}, "group"),
        ({"content": "x" * 100}, "budget"),
    ],
)
def test_an_entry_that_stays_out_is_explained_by_a_word(
    scene: MakeScene, world: MakeBook, entry: dict[str, Any], reason: str
) -> None:
    winner = {"group": "g", "groupOverride": True, "order": 200, "preventRecursion": True}
    book = scene(world(entry, winner), budget_percent=0.01)

    told = book.explain("a dragon", character_name="Aoi", character_tags=frozenset({"idol"}))
    assert (told["0"].activated, told["0"].reason.value) == (False, reason)


def test_a_cooling_entry_is_explained(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"cooldown": 3}))
    state = book.scan("a dragon", state=BranchState(messages=1)).state

    assert book.explain("a dragon", state=BranchState(messages=2, cooldown=state.cooldown))["0"].reason == "cooldown"


def test_an_entry_that_excludes_recursion_is_explained(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"content": "a castle"}, {"key": ["castle"], "excludeRecursion": True}))

    assert book.explain("a dragon")["1"].reason == "excludes_recursion"


def test_every_entry_is_explained_once(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({}, {"key": []}, {"disable": True}, {"key": ["x"]}))

    assert sorted(book.explain("a dragon")) == ["0", "1", "2", "3"]


def test_a_key_that_can_never_match_is_told_at_import_and_in_the_explanation(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"key": ["/dragon(?=fly)/", "dragon"]}))

    assert [(name, problem.code, problem.entry) for name, problem in book.lore.problems] == [
        ("book", "pattern_unsupported", "0")
    ]
    assert "a look-around" in book.explain("a dragon")["0"].problems[0]
    assert book.explain("a dragon")["0"].key == "dragon"
