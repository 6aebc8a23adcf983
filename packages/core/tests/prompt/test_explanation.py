"""What a source says of its parts, as it is explained and kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core import PromptPart, Slot, utc_now
from idolchat_core.events.json_values import plain_json
from idolchat_core.prompt.budget import Decision
from idolchat_core.prompt.explanation import BuiltPrompt

TEXTS = st.text(st.characters(codec=None))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner) | st.tuples(inner),
)


def explained(why: Mapping[str, Any]) -> Mapping[str, Any]:
    part = PromptPart("lore", "moon", "The stage is on the moon.", Slot.TAIL, why=why)
    built = BuiltPrompt(
        turn_id=uuid4(),
        conversation_id=uuid4(),
        user_id=None,
        made_at=utc_now(),
        model=None,
        window_tokens=8192,
        tokens=20,
        shared_tokens=None,
        parts=BuiltPrompt.decided([Decision(part, 12, True)]),
        history_messages=1,
        left_out_messages=0,
        failures={},
    )
    assert b"\n" not in built.to_json()
    [one] = built.explanation().parts
    return one.why


@given(st.dictionaries(TEXTS, VALUES))
def test_a_reason_is_told_as_far_as_json_can_hold_it(why: Mapping[str, Any]) -> None:
    assert explained(why) == _with_lists(plain_json(why))


@pytest.mark.parametrize("levels", [1, 126, 150, 250, 5000])
def test_a_reason_is_told_unless_it_is_nested_too_deep_to_be_read_again(levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]

    assert explained({"matched": value}) == ({"matched": value} if levels < 200 else {})


def test_a_reason_of_other_types_costs_nothing_else() -> None:
    circle: list[Any] = []
    circle.append(circle)

    assert explained(MappingProxyType({"by": object(), "score": float("inf")})) == {"by": None, "score": None}
    assert explained({"circle": circle}) == {}


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_lists(item) for name, item in value.items()}
    return [_with_lists(item) for item in value] if isinstance(value, list | tuple) else value
