"""What processes tell each other is read as it was written, also by those of the release before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from idolchat_core.coordination.messages import Deltas, Follow, Texts, read_message, write_texts
from idolchat_core.models import new_id

said = st.lists(st.text(max_size=4), min_size=1, max_size=3)
turns = st.lists(st.tuples(st.integers(1), st.integers(0), said), max_size=5)


@given(turns)
def test_texts_are_read_as_they_were_written(entries: list[tuple[int, int, list[str]]]) -> None:
    texts = Texts(
        [number for number, _, _ in entries],
        [first for _, first, _ in entries],
        [len(said) for _, _, said in entries],
        [text for _, _, said in entries for text in said],
    )

    assert read_message(write_texts(texts)) == texts


@pytest.mark.parametrize(
    "columns", ['[[1],[2],[2],["a"]]', '[[1,2],[2],[1],["a"]]', "[[1],[2],[1]]", "[1,2,3,4]", "[[1],[2],[0],[]]"]
)
def test_columns_that_do_not_match_are_refused(columns: str) -> None:
    with pytest.raises(ValidationError):
        read_message(b"texts:" + columns.encode())


def test_texts_of_the_release_before_are_read() -> None:
    assert read_message(b'[[3,7,["Once ","upon"]],[4,1,["Hi"]]]') == Deltas([(3, 7, ["Once ", "upon"]), (4, 1, ["Hi"])])


def test_who_follows_in_the_release_before_does_not_know_texts() -> None:
    turn_id = new_id()
    asked = f'{{"kind":"follow","turn_id":"{turn_id}","inbox":"here","number":1,"after":-1,"again":true}}'

    assert read_message(asked.encode()) == Follow(
        turn_id=turn_id, inbox="here", number=1, after=-1, again=True, reads_texts=False
    )
