"""What of a value can be stored as JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core.events.json_values import MAX_DEPTH, MISSING, plain_copy, plain_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner) | st.tuples(inner),
)


@given(VALUES)
def test_a_copy_by_way_of_the_text_is_the_same(value: Any) -> None:
    assert repr(plain_copy(value)) == repr(plain_json(value))


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1])
def test_what_is_nested_too_deep_is_missing(levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]

    assert (plain_copy(value) is MISSING) == (plain_json(value) is MISSING) == (levels > MAX_DEPTH)
