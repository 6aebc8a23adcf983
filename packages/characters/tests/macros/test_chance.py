from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from macros.conftest import Expand

LETTERS = "::".join("abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize("macro", [f"{{{{random::{LETTERS}}}}}", f"{{{{pick::{LETTERS}}}}}", "{{roll:d99999}}"])
def test_chance_in_the_prefix_comes_out_once_per_conversation(expanded: Expand, macro: str) -> None:
    turns = {expanded(macro * 3, turn_id=str(turn)) for turn in range(5)}
    conversations = {expanded(macro * 3, conversation_id=str(conversation)) for conversation in range(5)}

    assert len(turns) == 1
    assert len(conversations) == 5


@pytest.mark.parametrize("macro", [f"{{{{random::{LETTERS}}}}}", "{{roll:d99999}}"])
def test_chance_in_the_tail_comes_out_once_per_turn(expanded: Expand, macro: str) -> None:
    first, again, other = (expanded(macro * 5, place="tail", turn_id=turn) for turn in ("1", "1", "2"))

    assert first == again != other


def test_a_pick_is_the_same_in_every_turn(expanded: Expand) -> None:
    template = f"{{{{pick::{LETTERS}}}}}" * 5

    assert len({expanded(template, place="tail", turn_id=str(turn)) for turn in range(5)}) == 1


def test_each_place_in_a_text_has_its_own_chance(expanded: Expand) -> None:
    assert len(set(expanded(f"{{{{pick::{LETTERS}}}}}" * 20))) > 5


def test_a_choice_may_hold_macros_and_names_with_commas(expanded: Expand) -> None:
    seen = {expanded("{{random:{{user}},b}}", user="a,c", conversation_id=str(number)) for number in range(50)}

    assert seen == {"a,c", "b"}


@pytest.mark.parametrize(
    ("dice", "least", "most"), [("2d6+1", 3, 13), ("d20", 1, 20), ("6", 1, 6), ("3d1-2", 1, 1), ("99d9", 99, 891)]
)
def test_dice_stay_in_their_range(expanded: Expand, dice: str, least: int, most: int) -> None:
    rolled = [int(expanded(f"{{{{roll:{dice}}}}}", conversation_id=str(number))) for number in range(200)]

    assert least <= min(rolled) <= max(rolled) <= most


@pytest.mark.parametrize("dice", ["", "0", "d0", "100d6", "-1", "1d", "d" + "9" * 20])
def test_what_is_no_dice_gives_nothing(expanded: Expand, dice: str) -> None:
    assert expanded(f"{{{{roll::{dice}}}}}|") == "|"
