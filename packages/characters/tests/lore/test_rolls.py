from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from idolchat_characters.lore import SeededRolls
from idolchat_characters.lore.rolls import fraction

if TYPE_CHECKING:
    from lore.conftest import MakeBook, MakeScene


@given(st.lists(st.text(), max_size=4))
def test_a_roll_is_at_least_0_and_less_than_1(parts: list[str]) -> None:
    assert 0 <= fraction(*parts) < 1


def test_the_same_turn_rolls_the_same_and_another_turn_anew() -> None:
    def rolls(turn: str) -> list[float]:
        roll = SeededRolls(conversation_id="c", turn_id=turn)
        return [roll("book", str(entry), "probability") for entry in range(5)]

    assert rolls("one") == rolls("one")
    assert not set(rolls("one")) & set(rolls("two"))


def test_rolls_of_the_conversation_do_not_depend_on_the_turn() -> None:
    one = SeededRolls(conversation_id="c", turn_id="one", scope="conversation")
    two = SeededRolls(conversation_id="c", turn_id="two", scope="conversation")

    assert one("book", "1", "probability") == two("book", "1", "probability")


def test_where_a_name_ends_changes_a_roll() -> None:
    assert fraction("ab", "c") != fraction("a", "bc")


def test_a_roll_stays_the_same_from_release_to_release() -> None:
    assert fraction("conversation", "turn", "book", "1", "probability") == 0.3404103365230795


def test_a_probability_comes_out_as_often_as_it_says(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"probability": 30}))
    rolls = [SeededRolls(conversation_id="c", turn_id=str(turn)) for turn in range(1000)]

    assert 250 < sum(bool(book.uids("a dragon", roll=roll)) for roll in rolls) < 350


def test_the_weights_of_a_group_decide_how_often_each_wins(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"group": "g", "groupWeight": 90}, {"group": "g", "groupWeight": 10}))
    rolls = [SeededRolls(conversation_id="c", turn_id=str(turn)) for turn in range(1000)]
    winners = [book.uids("a dragon", roll=roll) for roll in rolls]

    assert winners.count(["0"]) + winners.count(["1"]) == 1000
    assert 860 < winners.count(["0"]) < 940
