"""What of a value can be stored as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from idolchat_core.events.json_values import MAX_DEPTH, MISSING, plain_json


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1])
def test_what_is_nested_too_deep_is_missing(levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]

    assert (plain_json(value) is MISSING) == (levels > MAX_DEPTH)
