"""What is kept of a summary that is too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_memory.summaries.writing import fitting


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("They met. They sang. They left.", 31, "They met. They sang. They left."),
        ("They met. They sang. They left.", 21, "They met. They sang."),
        (
            "\u4e8c\u4eba\u306f\u4f1a\u3063\u305f\u3002\u6b4c\u3063\u305f\u3002",
            7,
            "\u4e8c\u4eba\u306f\u4f1a\u3063\u305f\u3002",
        ),
        ("one sentence without an end", 12, "one sentence"),
    ],
)
def test_whole_sentences_are_kept_as_far_as_they_fit(text: str, most: int, kept: str) -> None:
    assert fitting(text, most, len) == kept


@given(text=st.text(min_size=1), most=st.integers(1, 50))
def test_whatever_a_model_writes_fits(text: str, most: int) -> None:
    kept = fitting(text, most, len)

    assert len(kept) <= most
    assert kept in text
